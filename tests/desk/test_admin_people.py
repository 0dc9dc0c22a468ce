"""People in the admin: adding, editing and inviting them."""

from __future__ import annotations

import re

import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from apps.accounts.models import User
from apps.accounts.roles import MEANINGS, Role
from apps.houses.models import House
from tests.people import AsUser, person

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


def act(user: User, action: str) -> str:
    return reverse(f"admin:accounts_user_{action}", args=[user.pk])


def said(desk: Client, address: str) -> str:
    """What the page says after the action is confirmed."""
    return desk.post(address, {"_form_submitted": "on"}, follow=True).content.decode()


def test_ones_own_role_is_shown_and_not_asked(desk: Client, admin: User) -> None:
    person("second", Role.ADMINISTRATOR)
    assert 'name="role"' not in desk.get(page(admin)).content.decode()
    desk.post(page(admin), form(email=admin.email, name="Root", role=Role.OPERATOR, is_active=""))
    admin.refresh_from_db()
    assert (admin.name, admin.role, admin.is_active) == ("Root", Role.ADMINISTRATOR, True)


def test_the_role_of_another_is_chosen_among_what_roles_are_for(desk: Client, bob: User) -> None:
    text = desk.get(page(bob)).content.decode()
    assert all(meaning in text for meaning in MEANINGS.values())
    desk.post(page(bob), form(email=bob.email, name=bob.name, role=Role.OPERATOR))
    bob.refresh_from_db()
    assert bob.role == Role.OPERATOR


def test_deactivating_asks_first_says_what_happens_and_ends_sessions_and_tokens(
    desk: Client, bob: User, as_user: AsUser
) -> None:
    browser = as_user(bob)
    AuthToken.objects.create(bob)
    assert "logged out everywhere" in desk.get(act(bob, "deactivate")).content.decode()
    assert browser.get("/").status_code == 200

    assert "bob@example.com is deactivated" in said(desk, act(bob, "deactivate"))
    assert browser.get("/").status_code == 302
    assert not AuthToken.objects.exists()
    bob.refresh_from_db()
    assert (bob.is_active, bob.history.latest().is_active) == (False, False)


def test_reactivated_one_sees_ones_houses_again(desk: Client, bob: User, as_user: AsUser) -> None:
    said(desk, act(bob, "deactivate"))
    assert "is active again" in said(desk, act(bob, "reactivate"))
    assert "House A" in as_user(bob).get("/").content.decode()


def test_nobody_deactivates_themselves_even_by_address(desk: Client, admin: User) -> None:
    person("second", Role.ADMINISTRATOR)
    assert act(admin, "deactivate") not in desk.get(page(admin)).content.decode()
    assert "only another administrator" in said(desk, act(admin, "deactivate"))
    admin.refresh_from_db()
    assert admin.is_active


def test_offered_is_what_makes_sense(desk: Client, bob: User) -> None:
    def offered() -> list[str]:
        text = desk.get(page(bob)).content.decode()
        return [name for name in ("send_link", "deactivate", "reactivate") if act(bob, name) in text]

    assert offered() == ["send_link", "deactivate"]
    said(desk, act(bob, "deactivate"))
    assert offered() == ["reactivate"]
    said(desk, act(bob, "send_link"))
    assert not mail.outbox


def test_who_has_a_password_is_not_welcomed_again(desk: Client, bob: User) -> None:
    said(desk, act(bob, "send_link"))
    assert "set a new Wattdesk password" in mail.outbox[0].body
    User.objects.filter(pk=bob.pk).update(password="!")
    said(desk, act(bob, "send_link"))
    assert "you have been given access" in mail.outbox[1].body


class TestList:
    """Who there is, with which role and houses, and who never came."""

    @pytest.fixture(autouse=True)
    def _people(self, admin: User, bob: User, house_b: House) -> None:
        for number in range(4):
            House.objects.create(name=f"mill-{number}").memberships.create(user=bob)
        User.objects.create_user("nora@example.com", role=Role.ANALYST)
        gone = person("gone", Role.OPERATOR, house_b)
        User.objects.filter(pk=gone.pk).update(is_active=False)

    def shown(self, desk: Client, query: str) -> list[str]:
        found = desk.get(f"/admin/accounts/user/?{query}").context["cl"].queryset
        return [user.email.partition("@")[0] for user in found]

    def test_a_row_names_houses_and_counts_the_rest(self, desk: Client) -> None:
        text = desk.get("/admin/accounts/user/").content.decode()
        assert "House A, mill-0, mill-1 and 2 more" in text
        assert "none yet" in text
        assert "House B" in text

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("state=active", ["admin", "bob"]),
            ("state=invited", ["nora"]),
            ("state=inactive", ["gone"]),
            ("q=mill", ["bob"]),
            ("q=nora", ["nora"]),
            ("role__exact=operator", ["gone"]),
        ],
    )
    def test_people_are_found_by_state_role_and_house(
        self, desk: Client, query: str, expected: list[str]
    ) -> None:
        assert self.shown(desk, query) == expected

    def test_found_by_a_house_one_still_has_all_of_them(self, desk: Client, house_a: House) -> None:
        text = desk.get(f"/admin/accounts/user/?memberships__house__id__exact={house_a.pk}").content.decode()
        assert "and 2 more" in text
