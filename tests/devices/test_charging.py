"""The charging sessions on the page of a house."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.desk import live
from apps.devices import charging
from apps.devices.models import ChargingSession, Device
from apps.devices.mutations import create_device
from apps.houses.models import House
from collectors import drivers
from tests.people import AsUser

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
EVENING = int(datetime(2026, 3, 9, 17, 5, tzinfo=UTC).timestamp() * 1000)
MINUTE = 60_000


@pytest.fixture
def charger(house_a: House) -> Device:
    config = dict(drivers.load("powerflex").EXAMPLE)
    return create_device(house=house_a, name="powerflex", type="powerflex", config=config)


def session(charger: Device, start: int | None, end: int | None, mwh: float | None = None) -> ChargingSession:
    at = end if start is None else start
    assert at is not None
    return ChargingSession.objects.create(
        source=charger.source, at=at, started_at=start, ended_at=end, energy_mwh=mwh
    )


def page(client: Client, house: House) -> str:
    return client.get(reverse("house", args=[house.pk])).content.decode()


def test_a_session_is_told_in_the_houses_time(charger: Device, house_a: House) -> None:
    session(charger, EVENING, EVENING + 125 * MINUTE, 14_250_000)
    assert charging.recent(house_a, now=NOW) == [
        {"charger": "powerflex", "start": "Mon 9 Mar, 18:05", "duration": "2 h 05 min", "energy": "14.2 kWh"}
    ]


def test_what_is_not_known_is_said(charger: Device, house_a: House) -> None:
    session(charger, EVENING, None)
    session(charger, None, EVENING - MINUTE)
    going, lost = charging.recent(house_a, now=NOW)
    assert (going["duration"], going["energy"]) == ("no end yet", "–")
    assert (lost["start"], lost["duration"]) == ("not known", "–")


def test_another_year_is_named(charger: Device, house_a: House) -> None:
    session(charger, EVENING - 365 * 24 * 60 * MINUTE, None)
    assert charging.recent(house_a, now=NOW)[0]["start"] == "Sun 9 Mar 2025, 18:05"


def test_the_newest_few_come_first(charger: Device, house_a: House) -> None:
    for number in range(charging.MOST + 2):
        session(charger, EVENING + number * 60 * MINUTE, EVENING + number * 60 * MINUTE + MINUTE)
    shown = charging.recent(house_a, now=NOW)
    assert len(shown) == charging.MOST
    assert shown[0]["start"] == "Tue 10 Mar, 03:05"


def test_a_house_with_a_charger_and_no_session_says_so(
    charger: Device, house_a: House, bob: User, as_user: AsUser
) -> None:
    assert "No car has charged yet" in page(as_user(bob), house_a)


def test_a_house_without_a_charger_has_no_such_panel(house_a: House, bob: User, as_user: AsUser) -> None:
    assert "data-charging" not in page(as_user(bob), house_a)


def test_each_sees_their_own_houses_sessions_and_only_staff_the_list(
    charger: Device, house_a: House, house_b: House, alice: User, bob: User, charlie: User, as_user: AsUser
) -> None:
    session(charger, EVENING, EVENING + MINUTE, 1_000_000)
    assert "1.0 kWh" in page(as_user(bob), house_a)
    assert "All sessions of this house" not in page(as_user(bob), house_a)
    assert "All sessions of this house" in page(as_user(alice), house_a)
    assert "1.0 kWh" not in page(as_user(charlie), house_b)


def test_the_live_answer_changes_when_a_session_ends(
    charger: Device, house_a: House, bob: User, as_user: AsUser
) -> None:
    going = session(charger, EVENING, None)
    client, url = as_user(bob), reverse("house_live", args=[house_a.pk])
    before = client.get(url)
    assert before.json()["sessions"][0]["duration"] == "no end yet"
    assert client.get(url, headers={"If-None-Match": before["ETag"]}).status_code == 304

    ChargingSession.objects.filter(pk=going.pk).update(ended_at=EVENING + MINUTE)
    live.forget()  # as it does each minute

    after = client.get(url, headers={"If-None-Match": before["ETag"]})
    assert after.json()["sessions"][0]["duration"] == "0 h 01 min"
