"""Logging in and out by the one page, and being locked out of it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from apps.accounts import lockout
from apps.accounts.models import User
from apps.accounts.passwords import DEMO_PASSWORD
from tests.people import PASSWORD, AsUser

LOGIN = "/accounts/login/"


def test_the_page_asks_for_an_e_mail_and_a_password(client: Client, db: None) -> None:
    page = client.get(LOGIN).content.decode()
    assert 'type="email"' in page
    assert 'type="password"' in page
    assert reverse("password_reset") in page


def test_the_right_password_logs_in_whatever_the_case_of_the_e_mail(client: Client, bob: User) -> None:
    response = client.post(LOGIN, {"username": " BOB@Example.com", "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(bob.pk)


@pytest.mark.parametrize("email", ["bob@example.com", "nobody@example.com"])
def test_a_wrong_password_and_an_unknown_person_get_the_same_answer(
    client: Client, bob: User, email: str
) -> None:
    response = client.post(LOGIN, {"username": email, "password": "wrong"})
    assert response.status_code == 200
    assert "That e-mail and password do not match." in response.content.decode()


def test_an_inactive_person_cannot_log_in(client: Client, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    response = client.post(LOGIN, {"username": bob.email, "password": PASSWORD})
    assert "do not match" in response.content.decode()


def test_somebody_made_inactive_is_out_at_once(bob: User, as_user: AsUser) -> None:
    client = as_user(bob)
    assert client.get("/accounts/").status_code == 200
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert client.get("/accounts/").status_code == 302


def test_after_logging_in_one_gets_where_one_was_going(client: Client, bob: User) -> None:
    response = client.post(
        f"{LOGIN}?next=/accounts/", {"username": bob.email, "password": PASSWORD, "next": "/accounts/"}
    )
    assert response["Location"] == "/accounts/"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil.example"]
)
def test_the_way_leads_to_no_other_site(client: Client, bob: User, elsewhere: str) -> None:
    response = client.post(
        f"{LOGIN}?next={quote(elsewhere)}", {"username": bob.email, "password": PASSWORD, "next": elsewhere}
    )
    assert response["Location"] == "/"


def test_who_is_logged_in_needs_no_log_in(bob: User, as_user: AsUser) -> None:
    assert as_user(bob).get(LOGIN)["Location"] == "/"


def test_logging_out_takes_a_post(bob: User, as_user: AsUser) -> None:
    client = as_user(bob)
    assert client.get(reverse("logout")).status_code == 405
    assert client.post(reverse("logout"))["Location"] == LOGIN
    assert client.get("/accounts/").status_code == 302


@pytest.mark.django_db
def test_logging_in_needs_a_csrf_token() -> None:
    assert Client(enforce_csrf_checks=True).post(LOGIN, {"username": "a@b.cd"}).status_code == 403


def test_the_demo_password_opens_nothing_outside_the_demo(
    client: Client, bob: User, settings: Settings
) -> None:
    bob.set_password(DEMO_PASSWORD)
    bob.save()
    form = {"username": bob.email, "password": DEMO_PASSWORD}
    settings.DEMO = False
    assert client.post(LOGIN, form).status_code == 200
    settings.DEMO = True
    assert client.post(LOGIN, form).status_code == 302


def test_trying_the_demo_password_takes_as_long_for_people_as_for_nobody(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    assert authenticate(username=bob.email, password=DEMO_PASSWORD) is None
    assert authenticate(username="nobody@example.com", password=DEMO_PASSWORD) is None
    assert hashed == [DEMO_PASSWORD] * 2


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "address"),
    [
        (False, "198.51.100.7", "203.0.113.9"),
        (True, "198.51.100.7", "198.51.100.7"),
        (True, "192.0.2.66, 198.51.100.7", "198.51.100.7"),
        (True, "2001:db8::7", "2001:db8::7"),
        (True, "198.51.100.7, unknown", "203.0.113.9"),
        (True, None, "203.0.113.9"),
    ],
)
def test_a_proxys_word_counts_only_behind_one(
    rf: RequestFactory, settings: Settings, behind_proxy: bool, forwarded: str | None, address: str
) -> None:
    settings.BEHIND_PROXY = behind_proxy
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = rf.get("/", REMOTE_ADDR="203.0.113.9", headers=headers)
    assert lockout.address(request) == address


def test_a_socket_without_address_has_none(rf: RequestFactory) -> None:
    assert lockout.address(rf.get("/", REMOTE_ADDR="")) is None


@pytest.mark.usefixtures("clean_cache")
class TestLockOut:
    """Five wrong passwords for one e-mail from one address lock both together out for a while."""

    @pytest.fixture(autouse=True)
    def _axes(self, settings: Settings, db: None) -> None:
        settings.AXES_ENABLED = True

    def fail(self, client: Client, email: str, times: int) -> int:
        for _ in range(times):
            response = client.post(LOGIN, {"username": email, "password": "wrong"})
        return response.status_code

    def test_the_fifth_failure_answers_429_with_a_page_to_read(self, client: Client, bob: User) -> None:
        assert self.fail(client, bob.email, 4) == 200
        response = client.post(LOGIN, {"username": bob.email, "password": "wrong"})
        assert (response.status_code, response["Retry-After"]) == (429, "900")
        assert "for 15 minutes" in response.content.decode()

    def test_then_the_right_password_does_not_help(self, client: Client, bob: User) -> None:
        self.fail(client, bob.email, 5)
        response = client.post(LOGIN, {"username": bob.email, "password": PASSWORD})
        assert response.status_code == 429

    def test_another_spelling_of_the_e_mail_does_not_help(self, client: Client, bob: User) -> None:
        self.fail(client, "Bob@example.com", 2)
        self.fail(client, " bob@EXAMPLE.com", 2)
        assert self.fail(client, "bob@example.com", 1) == 429

    def test_others_at_the_same_address_are_not_locked_out(
        self, client: Client, bob: User, charlie: User
    ) -> None:
        self.fail(client, bob.email, 5)
        response = client.post(LOGIN, {"username": charlie.email, "password": PASSWORD})
        assert response.status_code == 302

    def test_people_behind_one_proxy_do_not_lock_each_other_out(
        self, client: Client, bob: User, settings: Settings
    ) -> None:
        settings.BEHIND_PROXY = True
        client.defaults["HTTP_X_FORWARDED_FOR"] = "198.51.100.7"
        self.fail(client, bob.email, 5)
        client.defaults["HTTP_X_FORWARDED_FOR"] = "198.51.100.8"
        response = client.post(LOGIN, {"username": bob.email, "password": PASSWORD})
        assert response.status_code == 302

    def test_a_success_forgets_the_failures(self, client: Client, bob: User) -> None:
        self.fail(client, bob.email, 4)
        client.post(LOGIN, {"username": bob.email, "password": PASSWORD})
        client.post(reverse("logout"))
        assert self.fail(client, bob.email, 4) == 200

    def test_no_password_is_kept_with_the_failures(self, client: Client, bob: User) -> None:
        client.post(LOGIN, {"username": bob.email, "password": "a-mistyped-secret"})
        kept = AccessAttempt.objects.get()
        assert kept.username == bob.email
        assert "a-mistyped-secret" not in str(vars(kept))
