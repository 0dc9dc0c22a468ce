"""Parameters of the read API that an address does not know."""

from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.houses.models import House
from tests.people import AsUser

ADDRESSES = ["", "{house}/", "{house}/sources/", "{house}/latest/", "{house}/events/"]
RANGE = "start=0&end=1000"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_parameter_that_is_not_known_is_refused_by_name(
    bob: User, house_a: House, as_user: AsUser, address: str
) -> None:
    answer = as_user(bob).get(f"/api/v1/houses/{address.format(house=house_a.pk)}?colour=blue")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (400, "unknown_parameter", "colour")


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("series/?series=a.b&evry=1h", "every"),
        ("evaluate/?item=solar&agregate=mean", "aggregate"),
    ],
)
def test_a_misspelt_one_is_told_what_was_meant(
    bob: User, house_a: House, as_user: AsUser, question: str, meant: str
) -> None:
    answer = as_user(bob).get(f"/api/v1/houses/{house_a.pk}/{question}&{RANGE}")
    assert answer.status_code == 400
    assert f"did you mean “{meant}”?" in answer.json()["error"]["message"]


def test_without_any_it_says_that_there_is_none(bob: User, house_a: House, as_user: AsUser) -> None:
    answer = as_user(bob).get(f"/api/v1/houses/{house_a.pk}/latest/?x=1")
    assert answer.json()["error"]["message"] == "There is no parameter “x”; there is: none."


@pytest.mark.parametrize("address", ADDRESSES[1:])
def test_a_house_that_is_not_visible_is_no_more_than_that(
    charlie: User, house_a: House, as_user: AsUser, address: str
) -> None:
    answer = as_user(charlie).get(f"/api/v1/houses/{address.format(house=house_a.pk)}?colour=blue")
    assert answer.status_code == 404
