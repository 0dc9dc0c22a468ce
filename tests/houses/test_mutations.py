"""Creating and changing houses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import User
from apps.houses import mutations
from apps.houses.credentials import verify
from apps.houses.models import House

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_new_house_comes_with_a_working_credential(admin: User) -> None:
    house, bundle = mutations.create_house(by=admin, name="mill", label="The mill", time_zone="Europe/Paris")
    assert bundle.house == "mill"
    assert verify(bundle.key, now=NOW) == house


def test_an_operator_becomes_a_member_of_the_house_they_create(alice: User) -> None:
    house, _ = mutations.create_house(by=alice, name="mill")
    assert house in House.objects.visible_to(alice)


def test_an_administrator_needs_no_membership(admin: User) -> None:
    house, _ = mutations.create_house(by=admin, name="mill")
    assert not house.memberships.exists()
    assert house in House.objects.visible_to(admin)


def test_a_command_creates_a_house_for_nobody_in_particular(db: None) -> None:
    house, _ = mutations.create_house(by=None, name="mill")
    assert house.history.get().history_user is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "-mill"),
        ("name", "the mill"),
        ("name", "m" * 65),
        ("name", "mill\n"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", ""),
        ("latitude", 90.1),
        ("longitude", -180.1),
    ],
)
def test_a_house_that_makes_no_sense_is_refused_whole(admin: User, field: str, value: str) -> None:
    fields = {"name": "mill", field: value}
    with pytest.raises(ValidationError) as refused:
        mutations.create_house(by=admin, **fields)  # type: ignore[arg-type]
    assert list(refused.value.message_dict) == [field]
    assert not House.objects.exists()


def test_a_name_belongs_to_one_house(admin: User, house_a: House) -> None:
    with pytest.raises(ValidationError, match="already exists"):
        mutations.create_house(by=admin, name="house-a")


def test_the_name_of_a_house_cannot_be_changed(house_a: House) -> None:
    house_a.name = "renamed"
    with pytest.raises(ValidationError, match="cannot be changed"):
        house_a.save()
    assert House.objects.get().name == "house-a"


def test_an_edit_is_saved_with_who_made_it(house_a: House, alice: User) -> None:
    mutations.update_house(house=house_a, by=alice, label="Renamed", latitude=50.5)
    house_a.refresh_from_db()
    newest = house_a.history.latest()
    assert (house_a.label, house_a.latitude) == ("Renamed", 50.5)
    assert (newest.label, newest.history_user) == ("Renamed", alice)


def test_disabling_is_on_record(house_a: House, alice: User) -> None:
    mutations.set_enabled(house=house_a, enabled=False, by=alice)
    house_a.refresh_from_db()
    assert not house_a.enabled
    assert house_a.history.latest().history_user == alice


def test_members_come_and_go(house_a: House, charlie: User) -> None:
    mutations.add_member(house=house_a, user=charlie)
    mutations.add_member(house=house_a, user=charlie)
    assert house_a in House.objects.visible_to(charlie)
    mutations.remove_member(house=house_a, user=charlie)
    mutations.remove_member(house=house_a, user=charlie)
    assert house_a not in House.objects.visible_to(charlie)
