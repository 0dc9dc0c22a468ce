"""What events count as in formulas."""

from __future__ import annotations

from math import isnan

import pytest

from apps.analytics.formula import parse
from apps.analytics.inputs import Loader, bind, value_at
from tests.analytics.building import START, happen


@pytest.mark.parametrize(
    ("data", "path", "value"),
    [
        ({}, (), 1),
        ({"energy": 5}, ("energy",), 5),
        ({"energy": "5.5"}, ("energy",), 5.5),
        ({"on": True}, ("on",), 1),
        ({"on": False}, ("on",), 0),
        ({"a": {"b": 2}}, ("a", "b"), 2),
    ],
)
def test_an_event_counts_as_what_its_data_holds(data, path, value):
    assert value_at(data, path) == value


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {},
        {"x": None},
        {"x": [1]},
        {"x": "much"},
        {"x": "nan"},
        {"x": "inf"},
        {"x": 10**400},
    ],
)
def test_what_is_not_a_finite_number_is_missing(data):
    assert isnan(value_at(data, ("x",)))


def test_events_of_one_stamp_come_in_an_order_that_does_not_depend_on_their_arrival(house_a):
    for name, energy in [("ev2", 2), ("ev1", 1), ("ev3", 3)]:
        happen(house_a, name, "END", 5, energy=energy)
    inputs = Loader(bind(house_a, parse("events.::END.energy"))).load(START, START + 3_600_000)
    (found,) = inputs.events.values()
    assert (found.values.tolist(), found.ordinals.tolist()) == ([1, 2, 3], [0, 1, 2])
