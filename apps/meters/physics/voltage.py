"""The voltage and frequency of a meter that is not there: those of its neighbours on the same bus. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.meters.physics.power import Flags, marked
from apps.readings.quality import Quality
from apps.readings.samples import Values

FIELDS = (
    "voltage_ll",
    "voltage_ln",
    *(f"voltage_{phase}" for phase in "abc"),
    *(f"voltage_{pair}" for pair in ("ab", "bc", "ca")),
)
MISMATCH = 0.03
TRANSFORMERS = (277 / 120, 600 / 208, 600 / 480, 600 / 120, 480 / 240, 480 / 120, 400 / 230, 690 / 400)
"""Voltages that transformers stand between; 277/120 is 480/208, 400/230 is a star against a delta."""
NEAR = 0.04


def of_bus(volts: Values) -> tuple[Values, Flags]:
    """The voltage of a bus from what its meters say: `volts` (k, n), the reference meter first.

    Their mean; the only one there is, V_SINGLE; that of the first present where they differ by more than 3 %,
    V_MISMATCH; none where they differ like two sides of a transformer, OTHER_BUS.
    """
    present = np.isfinite(volts) & (volts > 0)
    volts = np.where(present, volts, np.nan)
    count = present.sum(axis=0)
    ratio = _ratio(volts, present)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(present, volts, 0).sum(axis=0) / count
    differs, transformed = ratio > 1 + MISMATCH, _is_transformer(ratio)
    value = np.where(differs, first(volts), np.where(count > 0, mean, np.nan))
    flags = marked(count == 1, Quality.V_SINGLE) | marked(differs & ~transformed, Quality.V_MISMATCH)
    return np.where(transformed, np.nan, value), flags | marked(transformed, Quality.OTHER_BUS)


def first(values: Values) -> Values:
    """Of `values` (k, n) the first that is present at each place: frequency is copied so."""
    if not len(values):
        return np.full(values.shape[1], np.nan)
    places = np.isfinite(values).argmax(axis=0)
    found: Values = values[places, np.arange(values.shape[1])]
    return found


def _ratio(volts: Values, present: NDArray[np.bool_]) -> Values:
    """The highest to the lowest, 1 where there are fewer than two."""
    high = np.where(present, volts, -np.inf).max(axis=0, initial=-np.inf)
    low = np.where(present, volts, np.inf).min(axis=0, initial=np.inf)
    several = present.sum(axis=0) > 1
    ratio: Values = np.divide(high, low, out=np.ones(volts.shape[1]), where=several)
    return ratio


def _is_transformer(ratio: Values) -> NDArray[np.bool_]:
    known = np.array(TRANSFORMERS)[:, None]
    found: NDArray[np.bool_] = (np.abs(ratio / known - 1) <= NEAR).any(axis=0)
    return found
