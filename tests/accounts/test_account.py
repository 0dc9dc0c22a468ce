"""A person's own page: name, password, tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import translation
from knox.models import AuthToken

from apps.accounts.models import User
from tests.people import PASSWORD, AsUser

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ACCOUNT = "/accounts/"
NAME = "/accounts/name/"
TOKENS = "/accounts/tokens/"


def made(client: Client, **form: Any) -> str:
    """The text of a new token, as the page shows it."""
    page = client.post(TOKENS, {"name": "Excel", "days": 90, **form}, follow=True).content.decode()
    found = re.search(r"<pre[^>]*>(\w{40,})</pre>", page)
    assert found
    return found[1]


def test_one_can_change_ones_name_and_it_is_on_record(bob: User, as_user: AsUser) -> None:
    answer = as_user(bob).post(NAME, {"name": "Robert"}, follow=True)
    bob.refresh_from_db()
    assert bob.name == "Robert"
    assert "Your name is saved" in answer.content.decode()
    assert bob.history.latest().history_user == bob


def test_a_name_that_is_too_long_is_refused_where_it_stands(bob: User, as_user: AsUser) -> None:
    answer = as_user(bob).post(NAME, {"name": "n" * 151})
    assert "at most 150 characters" in answer.content.decode()
    bob.refresh_from_db()
    assert bob.name == "Bob"


def test_only_the_name_is_taken_whatever_else_is_sent(bob: User, as_user: AsUser) -> None:
    as_user(bob).post(NAME, {"name": "Bob", "role": "administrator", "email": "root@example.com"})
    bob.refresh_from_db()
    assert (bob.role, bob.email) == ("homeowner", "bob@example.com")


@pytest.mark.parametrize("days", [30, 90, 365])
def test_a_token_works_for_as_long_as_chosen(bob: User, as_user: AsUser, days: int) -> None:
    with time_machine.travel(NOW, tick=False):
        text = made(as_user(bob), days=days)
    token = AuthToken.objects.get()
    assert (token.user, token.expiry) == (bob, NOW + timedelta(days=days))
    assert text.startswith(token.token_key)


def test_a_new_token_serves_and_is_shown_once(bob: User, as_user: AsUser, client: Client) -> None:
    browser = as_user(bob)
    text = made(browser)
    assert client.get("/api/v1/houses/", headers={"Authorization": f"Token {text}"}).status_code == 200
    again = browser.get(ACCOUNT).content.decode()
    assert text not in again
    assert "Excel" in again


def test_between_the_pages_it_is_kept_encrypted(bob: User, as_user: AsUser) -> None:
    browser = as_user(bob)
    browser.post(TOKENS, {"name": "Excel", "days": 90})
    assert AuthToken.objects.get().token_key not in str(dict(browser.session))


@pytest.mark.parametrize("form", [{"name": ""}, {"days": 36500}, {"days": "x"}, {"name": "n" * 61}])
def test_a_token_that_makes_no_sense_is_not_made(bob: User, as_user: AsUser, form: dict[str, Any]) -> None:
    answer = as_user(bob).post(TOKENS, {"name": "Excel", "days": 90, **form})
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not AuthToken.objects.exists()


def test_who_has_fifty_is_asked_to_revoke_one(bob: User, as_user: AsUser) -> None:
    for _ in range(50):
        AuthToken.objects.create(bob)
    answer = as_user(bob).post(TOKENS, {"name": "Excel", "days": 90})
    assert "Revoke one first" in answer.content.decode()
    assert AuthToken.objects.count() == 50


@pytest.mark.django_db
def test_a_token_made_by_a_program_can_be_named_too(bob: User, client: Client, clean_cache: None) -> None:
    body = {"email": bob.email, "password": PASSWORD, "name": "backup script"}
    assert client.post("/api/v1/auth/token/", body, "application/json").status_code == 200
    assert AuthToken.objects.get().label.name == "backup script"


@pytest.mark.parametrize("address", [NAME, TOKENS])
def test_changes_are_posts_with_a_form_token(bob: User, as_user: AsUser, address: str) -> None:
    assert as_user(bob).get(address).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(bob, backend="django.contrib.auth.backends.ModelBackend")
    assert strict.post(address, {"name": "x", "days": 90}).status_code == 403
    assert Client().post(address, {"name": "x", "days": 90}).status_code == 302
    assert not AuthToken.objects.exists()


def test_the_page_says_its_language(bob: User, as_user: AsUser) -> None:
    assert '<html lang="en">' in as_user(bob).get(ACCOUNT).content.decode()
    with translation.override("de"):
        assert '<html lang="de">' in as_user(bob).get(reverse("account")).content.decode()


@pytest.mark.parametrize("header", ["Token ünlesbar", "Token \x80\x81", "Token a b", "Token", "Token \0"])
@pytest.mark.django_db
def test_a_header_that_is_no_token_is_401(client: Client, header: str) -> None:
    answer = client.get("/api/v1/houses/", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
