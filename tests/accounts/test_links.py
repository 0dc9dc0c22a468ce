"""Setting a first or a new password by a mailed link."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken
from pytest_django import Settings

from apps.accounts import links, mutations
from apps.accounts.models import User
from apps.accounts.passwords import DEMO_PASSWORD
from apps.accounts.roles import Role
from tests.people import PASSWORD, AsUser

NEW = "a-brand-new-passphrase"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _public_url(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://testserver"


@pytest.fixture
def newcomer(db: None) -> User:
    return mutations.create_user(by=None, email="new@example.com", name="Nora O'Neil", role=Role.ANALYST)


def test_a_newcomer_cannot_log_in_before_they_set_a_password(client: Client, newcomer: User) -> None:
    response = client.post("/accounts/login/", {"username": newcomer.email, "password": ""})
    assert response.status_code == 200
    assert not newcomer.has_usable_password()


def test_the_invitation_says_who_where_and_how_long(newcomer: User) -> None:
    links.send_invitation(user=newcomer)
    [letter] = mail.outbox
    assert letter.to == ["new@example.com"]
    assert "\n" not in letter.subject
    for part in ("Hello Nora O'Neil,", "as analyst", "for 3 days", "log in with new@example.com"):
        assert part in letter.body
    assert _link(letter).startswith("http://testserver/accounts/password/set/")


def test_the_link_names_the_public_address_not_the_one_asked_at(
    client: Client, bob: User, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://desk.example"
    client.post(reverse("password_reset"), {"email": bob.email}, headers={"host": "localhost"})
    assert _link(mail.outbox[0]).startswith("https://desk.example/accounts/password/set/")


def test_an_invited_person_sets_a_password_and_logs_in(client: Client, newcomer: User) -> None:
    links.send_invitation(user=newcomer)
    assert _set_password(client, _link(mail.outbox[0]))
    response = client.post("/accounts/login/", {"username": newcomer.email, "password": NEW})
    assert response.status_code == 302


def test_a_link_works_once(newcomer: User) -> None:
    link = links.set_password_url(newcomer)
    assert _set_password(Client(), link)
    page = Client().get(link)
    assert "This link no longer works" in page.content.decode()


def test_a_link_works_for_three_days(newcomer: User) -> None:
    with time_machine.travel(START, tick=False) as clock:
        link = links.set_password_url(newcomer)
        clock.move_to(START + timedelta(days=3))
        assert Client().get(link).status_code == 302
        clock.move_to(START + timedelta(days=3, seconds=1))
        assert "no longer works" in Client().get(link).content.decode()


@pytest.mark.parametrize("spoilt", ["/accounts/password/set/MQ/abc-def/", "/accounts/password/set/!!/x/"])
def test_a_made_up_link_does_not_work(client: Client, newcomer: User, spoilt: str) -> None:
    assert "no longer works" in client.get(spoilt).content.decode()


@pytest.mark.parametrize("password", ["short", "1234567890123", DEMO_PASSWORD, "password123"])
def test_a_weak_password_is_refused_and_the_link_stays_good(newcomer: User, password: str) -> None:
    link = links.set_password_url(newcomer)
    assert not _set_password(Client(), link, password)
    assert _set_password(Client(), link)


@pytest.mark.usefixtures("clean_cache")
class TestForgotten:
    """A person asks for a link themselves."""

    def ask(self, email: str) -> str:
        response = Client().post(reverse("password_reset"), {"email": email}, follow=True)
        return response.content.decode()

    def test_the_answer_tells_nobody_who_exists(self, bob: User) -> None:
        assert self.ask("BOB@example.com") == self.ask("nobody@example.com")
        assert [letter.to for letter in mail.outbox] == [[bob.email]]

    def test_who_never_set_a_password_gets_a_link_too(self, newcomer: User) -> None:
        self.ask(newcomer.email)
        assert _set_password(Client(), _link(mail.outbox[0]))

    def test_who_is_inactive_gets_none(self, bob: User) -> None:
        User.objects.filter(pk=bob.pk).update(is_active=False)
        self.ask(bob.email)
        assert not mail.outbox

    def test_nobody_is_flooded_with_mail(self, bob: User) -> None:
        for _ in range(3):
            self.ask(bob.email)
        assert len(mail.outbox) == 1

    def test_a_mail_server_that_is_down_shows_the_same_page(self, bob: User, settings: Settings) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        assert "Look at your mail" in self.ask(bob.email)

    def test_without_a_cache_the_link_is_mailed_all_the_same(self, bob: User, no_cache: None) -> None:
        self.ask(bob.email)
        assert [letter.to for letter in mail.outbox] == [[bob.email]]


def test_a_new_password_ends_tokens_and_other_sessions(bob: User, as_user: AsUser) -> None:
    elsewhere, here = as_user(bob), as_user(bob)
    AuthToken.objects.create(bob)
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    response = here.post(reverse("password_change"), form, follow=True)
    assert "Your password is changed" in response.content.decode()
    assert not AuthToken.objects.exists()
    assert elsewhere.get("/accounts/").status_code == 302


def test_changing_needs_the_old_password(bob: User, as_user: AsUser) -> None:
    form = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    assert as_user(bob).post(reverse("password_change"), form).status_code == 200
    bob.refresh_from_db()
    assert bob.check_password(PASSWORD)


def _link(letter: mail.EmailMessage) -> str:
    found = re.search(r"^http\S+$", str(letter.body), re.MULTILINE)
    assert found
    return found[0]


def _set_password(client: Client, link: str, password: str = NEW) -> bool:
    """Follow the link and fill in the form; whether the password was taken."""
    form_url = client.get(link)["Location"]
    response = client.post(form_url, {"new_password1": password, "new_password2": password})
    return response.status_code == 302 and response["Location"] == reverse("password_reset_complete")
