"""Every address outside the admin, asked by a stranger, by a homeowner of another house, and by each role."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses.models import House
from tests.desk import places
from tests.desk.places import PLACES
from tests.people import log_in


@pytest.fixture
def egauge(house_a: House) -> Device:
    config = {"ip": "192.0.2.7", "keys": ["A.Solar"]}
    return create_device(house=house_a, name="egauge", type="egauge", config=config)


@pytest.fixture
def asking(
    charlie: User, bob: User, ann: User, alice: User, admin: User, clean_cache: None
) -> dict[str, User | None]:
    """Who asks, in the order of `places.WHO`."""
    return dict(zip(places.WHO, (None, charlie, bob, ann, alice, admin), strict=True))


def test_every_address_says_whom_it_opens_for() -> None:
    found = set(places.routes())
    assert found - set(PLACES) == set(), "Say in tests/desk/places.py what each of us gets there."
    assert set(PLACES) - found == set(), "These are gone."


@pytest.mark.parametrize("route", PLACES)
def test_everybody_gets_what_is_theirs(
    route: str, asking: dict[str, User | None], house_a: House, egauge: Device
) -> None:
    place = PLACES[route]
    found = {
        who: places.outcome(Client() if user is None else log_in(user), user, house_a, route, place)
        for who, user in asking.items()
    }
    assert found == dict(zip(places.WHO, place.outcomes, strict=True))
