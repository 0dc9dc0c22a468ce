"""Whether a value that is not there may still come, and whether one that is there may still change. Pure.

Told when somebody looks, never stored: the same readings say something else an hour later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from apps.meters.physics.grid import COVERAGE
from apps.readings.samples import Stamps, Values

HOUR_MS = 3_600_000
DAILY_MS = 26 * HOUR_MS
"""How long to wait for a logger that uploads once a day."""
FREQUENT_MS = 6 * HOUR_MS
"""A logger that uploads more often than this is frequent."""
FREQUENT_INTERVALS = 3
DELAYS = 2
"""So many times a logger's usual delay is waited for."""


class Freshness(StrEnum):
    """What there is of an interval of a derived meter."""

    FINAL = "final"
    PROVISIONAL = "provisional"  # there, but an input may still be corrected
    PARTIAL = "partial"  # an input covers too little of it
    WAITING = "waiting"  # an input may still come
    GAP = "gap"  # nothing is expected any more


@dataclass(frozen=True, eq=False)
class Presence:
    """How much of each interval an input covers (m,), and how long (ms) after it readings may come."""

    coverage: Values
    horizon: int


def horizon(*, interval: int, delay: int | None, between: int | None) -> int:
    """How long (ms) to wait for a meter read each `interval` ms.

    `delay` is how late its readings usually are (their 95th percentile), `between` the usual time between
    uploads: None while nobody knows, which is taken for a daily one.
    """
    if delay is not None:
        return max(DELAYS * delay, FREQUENT_INTERVALS * interval)
    if between is not None and between <= FREQUENT_MS:
        return FREQUENT_INTERVALS * max(interval, between)
    return DAILY_MS


def freshness(
    edges: Stamps, present: Sequence[bool], inputs: Sequence[Presence], *, now: int, least: float = COVERAGE
) -> list[Freshness]:
    """What there is of each interval between `edges` (m + 1,), of which those `present` (m,) have a value."""
    ages = now - edges[1:]
    short = np.array([one.coverage < least for one in inputs])
    some = np.array([one.coverage > 0 for one in inputs])
    pending = np.array([ages <= one.horizon for one in inputs])
    return [
        _state(*flags)
        for flags in zip(present, _any(pending), _any(short & pending), _any(short & ~some), strict=True)
    ]


def _any(flags: NDArray[np.bool_]) -> list[bool]:
    """Whether any input (k, m) has the flag, for each interval."""
    found: list[bool] = np.logical_or.reduce(flags, axis=0).tolist()
    return found


def _state(there: bool, may_change: bool, may_come: bool, missing: bool) -> Freshness:
    if there:
        return Freshness.PROVISIONAL if may_change else Freshness.FINAL
    if may_come:
        return Freshness.WAITING
    return Freshness.GAP if missing else Freshness.PARTIAL
