"""The list of houses and a single one, asked for by everybody."""

from __future__ import annotations

import pytest
from django.test import Client
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.houses.models import House
from tests.people import AsUser

LIST = "/api/v1/houses/"


def names(client: Client, **query: object) -> list[str]:
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return [house["name"] for house in answer.json()]


class TestWhoSeesWhat:
    @pytest.mark.parametrize(
        ("who", "expected"),
        [
            ("alice", ["house-a"]),
            ("bob", ["house-a"]),
            ("ann", ["house-a"]),
            ("charlie", ["house-b"]),
            ("admin", ["house-a", "house-b"]),
        ],
    )
    def test_the_list_holds_the_houses_one_belongs_to(
        self, who, expected, house_a, house_b, request, as_user
    ):
        assert names(as_user(request.getfixturevalue(who))) == expected

    @pytest.mark.parametrize("who", ["alice", "bob", "ann", "admin"])
    def test_members_and_administrators_see_a_house(self, who, house_a, request, as_user):
        answer = as_user(request.getfixturevalue(who)).get(f"{LIST}{house_a.pk}/")
        assert answer.status_code == 200
        assert answer.json()["name"] == "house-a"

    def test_a_foreign_house_does_not_exist(self, charlie: User, house_a: House, as_user: AsUser):
        answer = as_user(charlie).get(f"{LIST}{house_a.pk}/")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"

    @pytest.mark.parametrize("number", [0, 10**30])
    def test_a_house_that_never_was_does_not_exist_either(self, number, alice, as_user):
        assert as_user(alice).get(f"{LIST}{number}/").status_code == 404

    @pytest.mark.parametrize("place", ["", "1/"])
    def test_strangers_are_asked_to_log_in(self, db, client, place):
        answer = client.get(LIST + place)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"

    def test_somebody_inactive_is_a_stranger(self, bob: User, as_user: AsUser):
        client = as_user(bob)
        User.objects.filter(pk=bob.pk).update(is_active=False)
        assert client.get(LIST).status_code == 401

    def test_a_token_serves_like_a_session(self, bob: User, client: Client):
        _, token = AuthToken.objects.create(bob)
        answer = client.get(LIST, headers={"Authorization": f"Token {token}"})
        assert [house["name"] for house in answer.json()] == ["house-a"]

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_nothing_is_changed_here(self, method, admin, house_a, as_user):
        assert getattr(as_user(admin), method)(f"{LIST}{house_a.pk}/").status_code == 405


class TestWhatIsTold:
    def test_a_house_says_where_it_is_and_which_calendar_it_follows(self, bob, house_a, as_user):
        House.objects.filter(pk=house_a.pk).update(latitude=50.85, longitude=4.35, description="Brick.")
        assert as_user(bob).get(f"{LIST}{house_a.pk}/").json() == {
            "id": house_a.pk,
            "name": "house-a",
            "label": "House A",
            "description": "Brick.",
            "time_zone": "Europe/Brussels",
            "position": {"latitude": 50.85, "longitude": 4.35},
            "enabled": True,
        }

    def test_an_unknown_position_is_null(self, bob, house_a, as_user):
        assert as_user(bob).get(LIST).json()[0]["position"] is None

    def test_a_disabled_house_is_still_listed(self, bob, house_a, as_user):
        House.objects.filter(pk=house_a.pk).update(enabled=False)
        assert as_user(bob).get(LIST).json()[0]["enabled"] is False

    def test_every_role_is_told_the_same(self, alice, bob, ann, admin, house_a, as_user):
        told = [as_user(person).get(f"{LIST}{house_a.pk}/").json() for person in (alice, bob, ann, admin)]
        assert all(answer == told[0] for answer in told)


class TestPages:
    def test_limit_and_offset_walk_through_the_list(self, admin, house_a, house_b, as_user):
        client = as_user(admin)
        assert names(client, limit=1) == ["house-a"]
        assert names(client, limit=1, offset=1) == ["house-b"]
        assert names(client, offset=2) == []

    @pytest.mark.parametrize(
        ("field", "value"), [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("offset", "-1")]
    )
    def test_a_bad_page_is_named(self, field, value, bob, as_user):
        answer = as_user(bob).get(LIST, {field: value})
        assert answer.status_code == 400
        assert answer.json()["error"]["field"] == field

    def test_more_houses_take_no_more_queries(
        self, admin: User, as_user: AsUser, django_assert_num_queries: DjangoAssertNumQueries
    ):
        House.objects.bulk_create(House(name=f"h{number}") for number in range(20))
        client = as_user(admin)
        with django_assert_num_queries(3):  # session, user, houses
            assert len(client.get(LIST).json()) == 20
