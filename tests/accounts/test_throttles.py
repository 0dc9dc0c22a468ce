"""How often a person may ask the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from pytest_django import Settings

from apps.accounts import mutations
from apps.accounts.models import User
from tests.people import AsUser

pytestmark = pytest.mark.usefixtures("clean_cache")

NOW = datetime(2026, 6, 1, 12, 0, 20, tzinfo=UTC)
HOUSES = "/api/v1/houses/"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as moved:
        yield moved


@pytest.fixture(autouse=True)
def _two_a_minute(settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2


def test_who_asks_too_often_is_told_when_to_come_back(bob: User, as_user: AsUser) -> None:
    client = as_user(bob)
    assert [client.get(HOUSES).status_code for _ in range(2)] == [200, 200]
    answer = client.get(HOUSES)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "throttled")
    assert answer.headers["Retry-After"] == "40"


def test_session_and_token_of_a_person_count_together(bob: User, as_user: AsUser, client: Any) -> None:
    _, token = mutations.issue_token(user=bob, now=NOW)
    statuses = [as_user(bob).get(HOUSES).status_code]
    statuses += [
        client.get(HOUSES, headers={"Authorization": f"Token {token}"}).status_code for _ in range(2)
    ]
    assert statuses == [200, 200, 429]


def test_one_person_does_not_hold_up_another(bob: User, charlie: User, as_user: AsUser) -> None:
    for _ in range(3):
        as_user(bob).get(HOUSES)
    assert as_user(charlie).get(HOUSES).status_code == 200


def test_the_next_minute_counts_anew(bob: User, as_user: AsUser, clock: Any) -> None:
    for _ in range(3):
        as_user(bob).get(HOUSES)
    clock.shift(40)
    assert as_user(bob).get(HOUSES).status_code == 200


def test_processes_share_the_count(bob: User, as_user: AsUser) -> None:
    assert as_user(bob).get(HOUSES).status_code == 200
    cache.incr(f"person:{bob.pk}:{int(NOW.timestamp()) // 60}", 1)  # another process
    assert as_user(bob).get(HOUSES).status_code == 429


@pytest.mark.usefixtures("no_cache")
def test_without_a_cache_nobody_is_held_up(bob: User, as_user: AsUser) -> None:
    assert {as_user(bob).get(HOUSES).status_code for _ in range(4)} == {200}


def test_the_live_page_is_not_counted(bob: User, house_a: Any, as_user: AsUser) -> None:
    client = as_user(bob)
    assert {client.get(f"/houses/{house_a.pk}/live/").status_code for _ in range(4)} == {200}


def test_strangers_are_asked_to_log_in_however_often(client: Any, db: None) -> None:
    assert {client.get(HOUSES).status_code for _ in range(4)} == {401}
