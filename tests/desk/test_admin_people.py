"""People in the admin: adding, editing and inviting them."""

from __future__ import annotations

import re

import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.houses.models import House
from tests.people import AsUser

ADD = "/admin/accounts/user/add/"


@pytest.fixture
def desk(admin: User, as_user: AsUser) -> Client:
    """The administrator's browser."""
    return as_user(admin)


def page(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def form(**fields: str) -> dict[str, str]:
    return {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0", **fields}


def nora(*houses: House) -> dict[str, str]:
    """The filled-in form for a newcomer with memberships."""
    rows = {f"memberships-{place}-house": str(house.pk) for place, house in enumerate(houses)}
    return (
        form(email="Nora@Example.com", name="Nora", role=Role.ANALYST)
        | rows
        | {"memberships-TOTAL_FORMS": str(len(houses))}
    )


def test_a_newcomer_gets_role_houses_and_a_link(
    desk: Client,
    admin: User,
    house_a: House,
    house_b: House,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        desk.post(ADD, nora(house_a, house_b))
    user = User.objects.get(email="nora@example.com")
    assert (user.name, user.role, user.has_usable_password()) == ("Nora", Role.ANALYST, False)
    assert set(House.objects.visible_to(user)) == {house_a, house_b}
    assert user.history.latest().history_user == admin
    [letter] = mail.outbox
    assert letter.to == ["nora@example.com"]
    link = re.search(r"http\S+", str(letter.body))
    assert link
    assert Client().get(link[0].removeprefix("http://127.0.0.1:8000")).status_code == 302


def test_the_page_that_adds_says_that_a_link_is_mailed(desk: Client) -> None:
    assert "Saving mails a link" in desk.get(ADD).content.decode()


def test_a_person_who_was_not_saved_gets_no_mail(
    desk: Client, bob: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = desk.post(ADD, form(email=bob.email, role=Role.ANALYST))
    assert "already has a user" in response.content.decode()
    assert not mail.outbox


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_down_leaves_a_person_and_a_message(desk: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    response = desk.post(ADD, form(email="nora@example.com", role=Role.ANALYST))
    assert User.objects.filter(email="nora@example.com").exists()
    texts = [str(message) for message in get_messages(response.wsgi_request)]
    assert any("could not be sent" in text for text in texts), texts


def test_the_link_can_be_sent_again(desk: Client, bob: User) -> None:
    address = reverse("admin:accounts_user_send_link", args=[bob.pk])
    assert "works once" in desk.get(address).content.decode()
    assert not mail.outbox
    desk.post(address, {"_form_submitted": "on"})
    assert [letter.to for letter in mail.outbox] == [[bob.email]]


def test_no_password_is_on_any_page(desk: Client, bob: User) -> None:
    for address in (page(bob), reverse("admin:accounts_user_history", args=[bob.pk])):
        text = desk.get(address).content.decode()
        assert bob.password not in text
        assert "md5" not in text


def test_an_edit_is_on_record(desk: Client, admin: User, bob: User) -> None:
    desk.post(page(bob), form(email=bob.email, name="Robert", role=Role.ANALYST, is_active="on"))
    newest = bob.history.latest()
    assert (newest.name, newest.role, newest.history_user) == ("Robert", Role.ANALYST, admin)


def test_logging_in_is_no_edit(bob: User, client: Client) -> None:
    before = bob.history.count()
    client.post("/accounts/login/", {"username": bob.email, "password": "correct-horse-battery"})
    bob.refresh_from_db()
    assert bob.last_login
    assert bob.history.count() == before


def test_the_last_administrator_cannot_lock_everybody_out(desk: Client, admin: User) -> None:
    response = desk.post(page(admin), form(email=admin.email, role=Role.OPERATOR, is_active="on"))
    assert "The last administrator must stay one" in response.content.decode()
    admin.refresh_from_db()
    assert admin.role == Role.ADMINISTRATOR
