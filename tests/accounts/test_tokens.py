"""API tokens: making, using, listing and revoking them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken
from pytest_django import Settings

from apps.accounts import mutations
from apps.accounts.models import User
from tests.people import PASSWORD, AsUser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_cache")]

URL = "/api/v1/auth/token/"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def post(body: Any, **headers: str) -> HttpResponse:
    return Client(headers=headers).post(URL, body, content_type="application/json")  # type: ignore[return-value]


def make(user: User) -> str:
    token: str = post({"email": user.email, "password": PASSWORD}).json()["token"]  # type: ignore[attr-defined]
    return token


def delete(token: str) -> HttpResponse:
    return Client(headers={"authorization": f"Token {token}"}).delete(URL)  # type: ignore[return-value]


def error(response: Any) -> tuple[int, str, str | None]:
    found = response.json()["error"]
    assert found["message"]
    return response.status_code, found["code"], found.get("field")


def test_e_mail_and_password_give_a_token_for_ninety_days(bob: User) -> None:
    with time_machine.travel(START, tick=False):
        answer = post({"email": "Bob@example.com", "password": PASSWORD}).json()  # type: ignore[attr-defined]
    assert set(answer) == {"token", "expires_at"}
    assert answer["expires_at"] == (START + timedelta(days=90)).timestamp() * 1000


def test_only_a_digest_of_it_is_kept(bob: User) -> None:
    token = make(bob)
    kept = AuthToken.objects.get()
    assert token.startswith(kept.token_key)
    assert token not in str(vars(kept))


def test_a_token_expires(bob: User) -> None:
    with time_machine.travel(START, tick=False) as clock:
        token = make(bob)
        clock.move_to(START + timedelta(days=91))
        assert error(delete(token)) == (401, "unauthorized", None)


def test_revoking_stops_the_token_it_is_sent_with_and_no_other(bob: User) -> None:
    first, second = make(bob), make(bob)
    assert delete(first).status_code == 204
    assert error(delete(first)) == (401, "unauthorized", None)
    assert delete(second).status_code == 204


def test_the_token_of_somebody_inactive_does_not_work(bob: User) -> None:
    token = make(bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert error(delete(token)) == (401, "unauthorized", None)


def test_made_inactive_and_active_again_one_needs_a_new_token(bob: User, charlie: User) -> None:
    token, other = make(bob), make(charlie)
    for is_active in (False, True):
        mutations.update_user(user=bob, by=None, is_active=is_active)
    assert error(delete(token)) == (401, "unauthorized", None)
    assert delete(other).status_code == 204


@pytest.mark.parametrize("password", ["wrong", PASSWORD + " "])
def test_a_wrong_password_is_401(bob: User, password: str) -> None:
    response = post({"email": bob.email, "password": password})
    assert error(response) == (401, "unauthorized", None)
    assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "required", "email")),
        ({"email": "bob@example.com"}, (400, "required", "password")),
        ({"email": "bob", "password": "x"}, (400, "invalid", "email")),
        ({"email": "bob@example.com", "password": None}, (400, "null", "password")),
        ([], (400, "invalid", None)),
        ("{", (400, "malformed", None)),
        ('{"email": NaN}', (400, "malformed", None)),
        ("[" * 200_000, (400, "malformed", None)),
        (
            {"email": f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.com", "password": "x"},
            (400, "max_length", "email"),
        ),
    ],
)
def test_what_makes_no_sense_is_400_and_says_where(body: Any, expected: tuple[int, str, str | None]) -> None:
    assert error(post(body)) == expected


def test_a_huge_body_is_413() -> None:
    assert error(post({"email": "bob@example.com", "password": "x" * 3_000_000})) == (413, "too_large", None)


def test_a_form_is_not_json() -> None:
    response = Client().post(URL, {"email": "bob@example.com"})
    assert error(response) == (415, "unsupported_media_type", None)


def test_an_outworn_token_in_the_header_keeps_nobody_from_a_new_one(bob: User) -> None:
    response = post({"email": bob.email, "password": PASSWORD}, authorization="Token outworn")
    assert response.status_code == 200


def test_revoking_anonymously_is_401() -> None:
    response = Client().delete(URL)
    assert error(response) == (401, "unauthorized", None)
    assert response["WWW-Authenticate"] == "Token"


def test_five_wrong_passwords_lock_out_here_as_on_the_page(bob: User, settings: Settings) -> None:
    settings.AXES_ENABLED = True
    for _ in range(4):
        assert post({"email": bob.email, "password": "wrong"}).status_code == 401
    locked = post({"email": bob.email, "password": "wrong"})
    assert error(locked) == (429, "locked_out", None)
    assert locked["Retry-After"] == "900"
    page = Client().post("/accounts/login/", {"username": bob.email, "password": PASSWORD})
    assert page.status_code == 429


def test_attempts_for_many_people_are_throttled(bob: User) -> None:
    statuses = [post({"email": f"{n}@example.com", "password": "x"}).status_code for n in range(21)]
    assert statuses == [401] * 20 + [429]
    response = post({"email": bob.email, "password": PASSWORD})
    assert error(response) == (429, "throttled", None)
    assert int(response["Retry-After"]) > 0


def test_a_forged_forwarding_header_does_not_escape_the_throttle(bob: User) -> None:
    statuses = [
        post(
            {"email": f"{n}@example.com", "password": "x"}, **{"x-forwarded-for": f"192.0.2.{n}"}
        ).status_code
        for n in range(21)
    ]
    assert statuses == [401] * 20 + [429]


def test_a_person_may_have_fifty_tokens_and_expired_ones_do_not_count(bob: User) -> None:
    AuthToken.objects.create(bob, expiry=timedelta(seconds=-1))
    for _ in range(49):
        AuthToken.objects.create(bob)
    make(bob)
    response = post({"email": bob.email, "password": PASSWORD})
    assert error(response) == (409, "too_many_tokens", None)


def test_the_account_page_lists_ones_own_tokens_and_never_their_text(
    bob: User, charlie: User, as_user: AsUser
) -> None:
    mine, other = make(bob), make(charlie)
    page = as_user(bob).get(reverse("account")).content.decode()
    assert mine[:8] in page
    assert mine not in page
    assert other[:8] not in page


def test_one_can_revoke_ones_own_tokens_only(bob: User, charlie: User, as_user: AsUser) -> None:
    token, _ = mutations.issue_token(user=bob, now=START)
    url = reverse("token_revoke", args=[token.token_key])
    assert as_user(charlie).post(url).status_code == 404
    assert as_user(bob).get(url).status_code == 405
    assert AuthToken.objects.exists()
    assert as_user(bob).post(url).status_code == 302
    assert not AuthToken.objects.exists()


def test_the_account_page_is_for_people_who_are_logged_in(client: Client) -> None:
    assert client.get(reverse("account"))["Location"] == "/accounts/login/?next=/accounts/"


@pytest.mark.usefixtures("no_cache")
def test_without_a_cache_people_log_in_all_the_same(bob: User) -> None:
    assert make(bob)
