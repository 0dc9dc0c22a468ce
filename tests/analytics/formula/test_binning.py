"""Results in bins: put together from parts, and what is said of nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from apps.analytics.formula import Shape
from apps.analytics.formula.binning import AGGREGATES, aggregated, binned, concatenated, joined, nothing
from apps.analytics.formula.signals import Signal
from apps.readings.units import of_aggregate
from tests.analytics.formula.sampling import evaluated, inputs, signals

FINE = np.arange(0, 73, 6)
COARSE = FINE[::3]


@settings(max_examples=50)
@given(signals())
def test_bins_put_together_are_the_longer_bins(a: Signal):
    one = evaluated("a.x - 1", inputs(a=a))
    parts = concatenated([binned(one, FINE[:4]), binned(one, FINE[3:])])
    for aggregate in AGGREGATES:
        whole = aggregated(binned(one, COARSE), aggregate, Shape.SIGNAL)
        again = aggregated(joined(parts, COARSE), aggregate, Shape.SIGNAL)
        assert again.tolist() == pytest.approx(whole.tolist(), nan_ok=True)


def test_of_nothing_only_the_count_is_known():
    found = {name: aggregated(nothing(COARSE), name, Shape.SIGNAL).tolist()[0] for name in AGGREGATES}
    assert found.pop("count") == 0
    assert all(np.isnan(value) for value in found.values())


@pytest.mark.parametrize(
    ("aggregate", "unit", "expected"),
    [
        ("integral", "kW", "kWh"),
        ("integral", "W", "Wh"),
        ("integral", "kvar", "kvarh"),
        ("integral", "°C", "°C·h"),
        ("integral", "", ""),
        ("mean", "kW", "kW"),
        ("count", "kW", ""),
    ],
)
def test_an_aggregate_has_a_unit(aggregate, unit, expected):
    assert of_aggregate(aggregate, unit) == expected
