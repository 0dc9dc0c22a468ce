"""Users, roles and their mutations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.utils import timezone

from apps.accounts import mutations
from apps.accounts.models import User
from apps.accounts.records import note
from apps.accounts.roles import OPERATOR_PERMISSIONS, Role


@pytest.mark.django_db
def test_createsuperuser_makes_an_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct-horse-battery")
    call_command("createsuperuser", interactive=False, email="Root@Example.com", stdout=StringIO())
    user = User.objects.get()
    assert (user.email, user.role) == ("root@example.com", Role.ADMINISTRATOR)
    assert user.is_staff
    assert user.is_superuser


def test_an_e_mail_belongs_to_one_person_whatever_its_case(bob: User) -> None:
    with pytest.raises(ValidationError, match="already has a user"):
        mutations.create_user(by=None, email="BOB@example.com")
    with pytest.raises(IntegrityError):
        User.objects.bulk_create([User(email="Bob@example.com")])


@pytest.mark.parametrize(
    ("role", "staff", "superuser"),
    [
        (Role.ADMINISTRATOR, True, True),
        (Role.OPERATOR, True, False),
        (Role.ANALYST, False, False),
        (Role.HOMEOWNER, False, False),
    ],
)
def test_the_role_decides_who_enters_the_admin(role: Role, staff: bool, superuser: bool) -> None:
    user = User(email="x@example.com", role=role)
    assert (user.is_staff, user.is_superuser) == (staff, superuser)
    user.is_active = False
    assert (user.is_staff, user.is_superuser) == (False, False)


@pytest.mark.parametrize("permission", sorted(OPERATOR_PERMISSIONS))
def test_what_an_operator_may_an_administrator_may_and_others_may_not(permission: str) -> None:
    allowed = {role: User(role=role).has_perm(permission) for role in Role}
    assert allowed == {
        Role.ADMINISTRATOR: True,
        Role.OPERATOR: True,
        Role.ANALYST: False,
        Role.HOMEOWNER: False,
    }


@pytest.mark.parametrize(
    "permission",
    ["accounts.view_user", "houses.delete_house", "knox.view_authtoken", "houses.add_membership"],
)
def test_some_things_only_an_administrator_may(permission: str) -> None:
    assert User(role=Role.ADMINISTRATOR).has_perm(permission)
    assert not User(role=Role.OPERATOR).has_perm(permission)


@pytest.mark.parametrize(
    ("field", "value"), [("email", "nonsense"), ("email", ""), ("role", "emperor"), ("name", "n" * 151)]
)
@pytest.mark.django_db
def test_a_person_that_makes_no_sense_is_refused(field: str, value: str) -> None:
    fields = {"email": "x@example.com", field: value}
    with pytest.raises(ValidationError) as refused:
        mutations.create_user(by=None, **fields)
    assert list(refused.value.message_dict) == [field]


def test_who_made_and_changed_a_person_is_on_record_without_the_password(admin: User) -> None:
    user = mutations.create_user(by=admin, email="new@example.com")
    mutations.update_user(user=user, by=admin, role=Role.ANALYST)
    newest = user.history.latest()
    assert (newest.history_user, newest.role) == (admin, Role.ANALYST)
    assert not hasattr(newest, "password")


@pytest.mark.parametrize("change", [{"role": Role.OPERATOR}, {"is_active": False}])
def test_the_last_administrator_stays_one(admin: User, bob: User, change: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="last administrator"):
        mutations.update_user(user=admin, by=None, **change)  # type: ignore[arg-type]
    admin.refresh_from_db()
    assert admin.is_superuser


@pytest.mark.parametrize("change", [{"role": Role.OPERATOR}, {"is_active": False}, {"role": "administrator"}])
def test_nobody_changes_their_own_role_or_access(admin: User, change: dict[str, object]) -> None:
    second = mutations.create_user(by=None, email="second@example.com", role=Role.ADMINISTRATOR)
    with pytest.raises(ValidationError, match="only another administrator"):
        mutations.update_user(user=admin, by=admin, **change)  # type: ignore[arg-type]
    mutations.update_user(user=admin, by=second, **change)  # type: ignore[arg-type]
    mutations.update_user(user=second, by=second, name="Second")


def test_with_another_administrator_one_may_leave(admin: User) -> None:
    mutations.create_user(by=None, email="second@example.com", role=Role.ADMINISTRATOR)
    mutations.update_user(user=admin, by=None, role=Role.OPERATOR)
    admin.refresh_from_db()
    assert admin.role == Role.OPERATOR


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_demote_each_other_at_once() -> None:
    users = [
        mutations.create_user(by=None, email=f"{n}@example.com", role=Role.ADMINISTRATOR) for n in range(2)
    ]

    def demote(user: User) -> bool:
        try:
            mutations.update_user(user=user, by=None, role=Role.OPERATOR)
        except ValidationError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, users)) == [False, True]


def test_what_changes_no_field_is_on_record_too(bob: User, admin: User) -> None:
    mutations.set_password(user=bob, password="a-long-walk-uphill")
    token, text = mutations.issue_token(user=bob, now=timezone.now(), name="a spreadsheet" * 4)
    mutations.revoke_token(token=token, by=admin)
    newest = bob.history.order_by("-history_id")[:3]
    told = [(record.history_user, record.history_change_reason) for record in newest]
    beginning = f"{token.token_key[:8]}… for {'a spreadsheet' * 4}"
    assert told == [
        (admin, f"API token revoked: {beginning}"),
        (bob, f"API token made: {beginning}"),
        (bob, "set a password"),
    ]
    assert text not in str(told)


def test_what_is_on_record_is_cut_where_it_is_too_long(bob: User) -> None:
    note(about=bob, by=None, what="x" * 200)
    record = bob.history.latest()
    assert (record.history_user, len(record.history_change_reason)) == (None, 100)
    assert record.history_change_reason.endswith("x…")
