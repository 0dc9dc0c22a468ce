"""Declaring a meter set in the admin: seen before it is saved, and only by who looks after the house."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.houses.models import House
from apps.meters.models import Meter, MeterSet
from apps.meters.sets.forms import guess
from apps.meters.sets.panes import state_of
from tests.meters.sets.conftest import T0, fill, make_meter, put
from tests.people import AsUser, person

pytestmark = pytest.mark.django_db

ADD = reverse("admin:meters_meterset_add")
LIST = reverse("admin:meters_meterset_changelist")


def row(place: int, meter: Meter | str, role: str, **rules: Any) -> dict[str, Any]:
    told = {
        "meter": meter if isinstance(meter, str) else f"{meter.pk}:",
        "role": role,
        "polarity": 1,
        "pf_convention": "unsigned",
        "accuracy_percent": 0.5,
        **rules,
    }
    return {f"members-{place}-{name}": value for name, value in told.items()}


def form(*rows: dict[str, Any], **settings: Any) -> dict[str, Any]:
    told = {"topology": "no_utility", "coverage": 0.8, "tare_kw": 0.1, "residual_percent": 5, "anchor_kwh": 0}
    data = {**told, **settings, "members-TOTAL_FORMS": len(rows), "members-INITIAL_FORMS": 0}
    for one in rows:
        data |= one
    return data


def hidden(page: str) -> dict[str, str]:
    """What the page of consequences posts when it is confirmed."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))


@pytest.fixture
def operator(alice: User, as_user: AsUser) -> Client:
    return as_user(alice)


def test_a_set_is_declared_once_its_consequences_were_seen(
    operator: Client, house_a: House, solar: Meter, load: Meter
) -> None:
    fill(solar, load)
    url = f"{ADD}?house={house_a.pk}"
    page = operator.get(url).content.decode()
    assert "Roof" in page
    told = operator.post(
        url, form(row(0, solar, "solar"), row(1, load, "load"), row(2, "", ""))
    ).content.decode()
    assert "utility = load − solar" in told
    assert "The meter “Utility meter (derived)” is added." in told
    assert "2 days are worked out" in told
    assert not MeterSet.objects.exists()
    answer = operator.post(url, hidden(told))
    meter_set = MeterSet.objects.get()
    assert answer["Location"] == reverse("admin:meters_meterset_change", args=[meter_set.pk])
    assert [(str(one), one.role) for one in meter_set.members.all()] == [("roof", "solar"), ("main", "load")]
    page = operator.get(answer["Location"]).content.decode()
    assert "utility = load − solar" in page
    assert "derived_utility" in page


def test_what_is_wrong_is_said_and_nothing_is_saved(operator: Client, house_a: House, load: Meter) -> None:
    url = f"{ADD}?house={house_a.pk}"
    page = operator.post(url, form(row(0, load, "load"))).content.decode()
    assert "needs a meter for: solar" in page
    page = operator.post(url, form(row(0, "", "solar"), row(1, load, "load"))).content.decode()
    assert "Choose the meter." in page
    page = operator.post(url, form(row(0, load, "load"), coverage=7)).content.decode()
    assert "less than or equal to 1" in page
    assert not MeterSet.objects.exists()


def test_a_confirmation_is_checked_again(operator: Client, house_a: House, load: Meter) -> None:
    answer = operator.post(f"{ADD}?house={house_a.pk}", form(row(0, load, "load"), _confirmed="1"))
    assert answer.status_code == 200
    assert not MeterSet.objects.exists()


def test_times_are_those_of_the_house(operator: Client, two: MeterSet, solar: Meter, load: Meter) -> None:
    url = reverse("admin:meters_meterset_change", args=[two.pk])
    rows = (
        row(0, solar, "solar"),
        row(1, load, "load"),
        row(2, solar, "solar", polarity=-1, since="2026-06-01T00:00"),
    )
    answer = operator.post(url, form(*rows, _confirmed="1"))
    assert answer.status_code == 302, re.findall("errorlist.*|<li>.*", answer.content.decode())
    since = two.members.get(polarity=-1).since
    assert since is not None
    assert datetime.fromtimestamp(since / 1000, UTC) == datetime(
        2026, 6, 1, tzinfo=ZoneInfo("Europe/Brussels")
    )
    assert 'value="2026-06-01T00:00"' in operator.get(url).content.decode()
    two.refresh_from_db()
    assert two.version == 2


def test_whose_meters_they_are_is_asked_first(
    operator: Client, house_a: House, house_b: House, solar: Meter
) -> None:
    page = operator.get(ADD).content.decode()
    assert f"?house={house_a.pk}" in page
    assert f"?house={house_b.pk}" not in page


def test_a_house_that_has_one_leads_to_it(operator: Client, two: MeterSet) -> None:
    answer = operator.get(f"{ADD}?house={two.house_id}")
    assert answer["Location"] == reverse("admin:meters_meterset_change", args=[two.pk])


@pytest.mark.parametrize("house", ["0", "x", "999999999999999999999"])
def test_a_house_that_is_none_does_not_exist(operator: Client, house: str) -> None:
    assert operator.get(f"{ADD}?house={house}").status_code == 404


def test_what_a_stranger_asks_for_does_not_exist(
    two: MeterSet, house_a: House, house_b: House, bob: User, charlie: User, as_user: AsUser
) -> None:
    oscar = person("oscar", Role.OPERATOR, house_b)
    page = reverse("admin:meters_meterset_change", args=[two.pk])
    stranger = as_user(oscar)
    assert stranger.get(page).status_code == 404
    assert stranger.post(page, {}).status_code == 404
    assert stranger.get(f"{ADD}?house={house_a.pk}").status_code == 404
    assert two.house.label not in stranger.get(LIST).content.decode()
    for member in (bob, charlie):
        assert as_user(member).get(page).status_code in (302, 403, 404)


def test_a_set_is_forgotten_by_a_post_alone(operator: Client, two: MeterSet) -> None:
    url = reverse("admin:meters_meterset_retire", args=[two.pk])
    operator.get(url)
    assert MeterSet.objects.exists()
    operator.post(url, {"_form_submitted": "true"})
    assert not MeterSet.objects.exists()


def test_meters_of_another_house_cannot_be_chosen(
    operator: Client, house_a: House, house_b: House, load: Meter
) -> None:
    foreign = make_meter(house_b, "roof", "power")
    data = form(row(0, foreign, "solar"), row(1, load, "load"), _confirmed="1")
    page = operator.post(f"{ADD}?house={house_a.pk}", data).content.decode()
    assert "Select a valid choice" in page
    assert not MeterSet.objects.exists()


def test_the_names_of_meters_are_escaped(operator: Client, house_a: House, load: Meter) -> None:
    meter = make_meter(house_a, "evil", "power")
    meter.source.label = "<script>alert(1)</script>"
    meter.source.save()
    assert "<script>alert(1)" not in operator.get(f"{ADD}?house={house_a.pk}").content.decode()


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Solar_Inverter", "solar"),
        ("PV roof", "solar"),
        ("Building load", "load"),
        ("utility_main", "utility"),
        ("meter_7", ""),
        ("solar load", ""),
    ],
)
def test_a_name_suggests_what_a_meter_measures_where_that_is_clear(name: str, role: str) -> None:
    assert guess(name) == role


def test_the_history_is_there(operator: Client, two: MeterSet) -> None:
    assert operator.get(reverse("admin:meters_meterset_history", args=[two.pk])).status_code == 200


def test_clocks_that_do_not_go_together_are_told(two: MeterSet, solar: Meter, load: Meter) -> None:
    stamps = T0 + 60_000 * np.arange(0, 600, dtype=np.int64)
    put(solar.source, stamps, power=clouds)
    put(load.source, stamps, power=lambda own: 100 - clouds(own - 90_000))
    (words,) = state_of(two, int(stamps[-1])).clocks
    assert words.startswith("main is about ")
    assert words.endswith(" s ahead of roof")
    assert state_of(two, int(stamps[0])).clocks == []


def clouds(stamps: np.ndarray) -> np.ndarray:
    """kW under clouds that come and go at random instants."""
    rng = np.random.default_rng(3)
    changes = np.sort(rng.uniform(T0, T0 + 600 * 60_000, 200))
    levels: np.ndarray = rng.uniform(10, 80, 201)[np.searchsorted(changes, stamps)]
    return levels
