"""How far the clocks of two loggers are apart, by what both saw: to be shown, not applied. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.readings.samples import Samples, Values

STEP_MS = 5_000
FURTHEST_MS = 600_000
LEAST_SAMPLES = 60
CLEAR = 0.3
"""The correlation below which two meters saw nothing in common."""


@dataclass(frozen=True)
class Offset:
    """The second clock is ahead of the first by `milliseconds`; `correlation` −1 to 1 says how clearly."""

    milliseconds: int
    correlation: float


def offset(first: Samples, second: Samples, *, furthest: int = FURTHEST_MS) -> Offset | None:
    """The constant offset at which the changes of two powers fit best, None where they fit nowhere.

    A cloud shows at the solar meter and, turned around, at the utility's: both signs of correlation count.
    """
    if min(len(first), len(second)) < LEAST_SAMPLES:
        return None
    begin = max(first.stamps[0], second.stamps[0]) + furthest
    end = min(first.stamps[-1], second.stamps[-1]) - furthest
    if end - begin < 2 * furthest:
        return None
    lags = np.arange(-furthest, furthest + 1, STEP_MS)
    changes = _changes(first, np.arange(begin, end, STEP_MS))
    wide = _changes(second, np.arange(begin - furthest, end + furthest, STEP_MS))
    matches = _correlations(changes, wide, lags.size)
    best = int(np.abs(matches).argmax())
    return Offset(int(lags[best]), float(matches[best])) if abs(matches[best]) >= CLEAR else None


def _changes(samples: Samples, at: Values) -> Values:
    """Differences of the line through the samples, over a minute: slow drifts have no common time."""
    line = np.interp(at, samples.stamps, samples.values)
    span = 60_000 // STEP_MS
    return np.asarray(line[span:] - line[:-span])


def _correlations(changes: Values, wide: Values, lags: int) -> Values:
    windows = np.lib.stride_tricks.sliding_window_view(wide, changes.size)[:lags]
    size = np.sqrt((windows**2).sum(axis=1) * (changes**2).sum())
    found: Values = np.divide(windows @ changes, size, out=np.zeros(len(windows)), where=size > 0)
    return found
