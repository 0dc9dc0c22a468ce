"""Samples of one series, and the rule by which contradicting arrivals become one answer. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY = 86_400_000  # ms; UTC days have no leap seconds in Unix time

Stamps = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Samples:
    """One series over time: `stamps` (n,) Unix ms, strictly increasing; `values` (n,), never NaN.

    Samples of several series that were taken together share one `stamps` array: test with `is`.
    """

    stamps: Stamps
    values: Values

    def __len__(self) -> int:
        return len(self.stamps)

    def between(self, start: int, end: int) -> Samples:
        """Those in [start, end), as views; these samples themselves when that is all of them."""
        first, last = np.searchsorted(self.stamps, (start, end)).tolist()
        if last - first == len(self):
            return self
        return Samples(self.stamps[first:last], self.values[first:last])

    def without(self, start: int, end: int) -> Samples:
        """Those not in [start, end)."""
        keep = (self.stamps < start) | (self.stamps >= end)
        return Samples(self.stamps[keep], self.values[keep])

    def equals(self, other: Samples) -> bool:
        """Whether both hold the same bits: -0.0 is not 0.0."""
        return np.array_equal(self.stamps, other.stamps) and np.array_equal(
            self.values.view(np.int64), other.values.view(np.int64)
        )


EMPTY = Samples(np.empty(0, np.int64), np.empty(0, np.float64))


def increasing(stamps: Stamps) -> bool:
    """Whether every stamp is later than the one before."""
    return bool((stamps[1:] > stamps[:-1]).all())


def merge(parts: Sequence[Samples]) -> Samples:
    """One answer from parts in order of arrival, each in any order of time and with NaN where absent.

    Of equal stamps the last to arrive wins; an absent value never replaces one.
    """
    if not parts:
        return EMPTY
    stamps = np.concatenate([part.stamps for part in parts])
    values = np.concatenate([part.values for part in parts])
    absent = np.isnan(values)
    if absent.any():
        stamps, values = stamps[~absent], values[~absent]
    if increasing(stamps):
        return Samples(stamps, values)
    order = np.argsort(stamps, kind="stable")
    stamps = stamps[order]
    last = np.append(stamps[1:] != stamps[:-1], True)  # np.unique takes a hundred times as long
    return Samples(stamps[last], values[order[last]])


def find(stamps: Stamps, vectors: Sequence[Stamps]) -> int | None:
    """Where in `vectors` the same stamps are, if anywhere."""
    for position, vector in enumerate(vectors):
        if vector is stamps or np.array_equal(vector, stamps):
            return position
    return None
