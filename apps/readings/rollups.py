"""What is kept of a series for each bin of time, and how bins become longer ones. Pure.

Hours come from readings, days from hours, weeks and months from days. Sums are added exactly (`fsum`), so
that the parts of a bin add up to the bin whichever way they are grouped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.readings import integration
from apps.readings.counters import Advances
from apps.readings.quality import Quality
from apps.readings.samples import Samples, Stamps, Values

SECOND_MS = 1000
HOUR_S = 3600


@dataclass(frozen=True, eq=False)
class Columns:
    """One series over n bins [edges[i], edges[i + 1]) ms. All but `edges` are (n,); NaN is missing.

    `count`, `sum`, `min`, `max`, `first` and `last` are of the readings stamped within a bin; `covered` is in
    seconds, never NaN; `integral` in unit·h, None for counters; `increase` in the unit, None for all others;
    `quality` holds bits of `Quality`.
    """

    edges: Stamps
    count: Values
    sum: Values
    min: Values
    max: Values
    first: Values
    last: Values
    covered: Values
    integral: Values | None
    increase: Values | None
    quality: Values

    def __len__(self) -> int:
        return len(self.count)

    @property
    def mean(self) -> Values:
        """Integral over covered time, in the unit of the readings; all NaN for counters."""
        if self.integral is None:
            return np.full(len(self), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.covered > 0, self.integral * HOUR_S / self.covered, np.nan)

    @property
    def coverage(self) -> Values:
        """The part of each bin that readings vouch for, 0 to 1."""
        return self.covered * SECOND_MS / np.diff(self.edges)


@dataclass(frozen=True, eq=False)
class Stream:
    """The readings of a range and what reaches into it from outside.

    `samples` are those whose count matters; `around` has in addition the nearest before and after, with
    `lengths` (ms, NaN where not recorded) for intervals. Counters have `advances` instead of `around`.
    """

    kind: str
    max_gap: int
    samples: Samples
    around: Samples
    lengths: Values | None = None
    advances: Advances | None = None


def columns(stream: Stream, edges: Stamps) -> Columns:
    """A stream over the bins between neighbouring `edges` (n + 1,), ms, strictly increasing."""
    if stream.advances is not None:
        own = stream.advances
        increase, covered, bridged = integration.spread(
            own.begins, own.ends, own.increases, edges, max_gap=stream.max_gap
        )
        quality = np.where(bridged, float(Quality.BRIDGED), 0.0)
        return _columns(stream.samples, edges, covered, None, increase, quality)
    integral, covered = integration.integrate(
        stream.kind,
        stream.around.stamps,
        stream.around.values,
        edges,
        max_gap=stream.max_gap,
        lengths=stream.lengths,
    )
    return _columns(stream.samples, edges, covered, integral, None, np.zeros(covered.size))


def grouped(bins: Columns, places: NDArray[np.intp]) -> Columns:
    """Bins joined to longer ones: the i-th has the bins [places[i], places[i + 1]), at least one each."""

    def reduced(column: Values, rule: Callable[[Values], float]) -> Values:
        present = ~np.isnan(column)
        pairs = zip(places[:-1].tolist(), places[1:].tolist(), strict=True)
        parts = (column[begin:end][present[begin:end]] for begin, end in pairs)
        return np.array([rule(part) if part.size else math.nan for part in parts], np.float64)

    def optional(column: Values | None) -> Values | None:
        return None if column is None else reduced(column, _fsum)

    return Columns(
        edges=bins.edges[places],
        count=reduced(bins.count, _fsum),
        sum=reduced(bins.sum, _fsum),
        min=reduced(bins.min, lambda part: part.min()),
        max=reduced(bins.max, lambda part: part.max()),
        first=reduced(bins.first, lambda part: part[0]),
        last=reduced(bins.last, lambda part: part[-1]),
        covered=reduced(bins.covered, _fsum),
        integral=optional(bins.integral),
        increase=optional(bins.increase),
        quality=reduced(bins.quality, lambda part: float(np.bitwise_or.reduce(part.astype(np.int64)))),
    )


def _fsum(part: Values) -> float:
    return math.fsum(part.tolist())


def _columns(
    samples: Samples,
    edges: Stamps,
    covered: Stamps,
    integral: Values | None,
    increase: Values | None,
    quality: Values,
) -> Columns:
    bounds = np.searchsorted(samples.stamps, edges, "left")
    own = samples.values[bounds[0] : bounds[-1]]
    filled = np.diff(bounds) > 0
    starts = (bounds[:-1] - bounds[0])[filled]
    ends = (bounds[1:] - bounds[0])[filled]
    known = covered > 0

    def scattered(values: Values | None) -> Values:
        column = np.full(filled.size, np.nan)
        if values is not None:
            column[filled] = values
        return column

    some = bool(starts.size)
    return Columns(
        edges=edges,
        count=np.diff(bounds).astype(np.float64),
        sum=scattered(np.add.reduceat(own, starts) if some else None),
        min=scattered(np.minimum.reduceat(own, starts) if some else None),
        max=scattered(np.maximum.reduceat(own, starts) if some else None),
        first=scattered(own[starts] if some else None),
        last=scattered(own[ends - 1] if some else None),
        covered=covered / SECOND_MS,
        integral=None if integral is None else np.where(known, integral, np.nan),
        increase=None if increase is None else np.where(known, increase, np.nan),
        quality=quality,
    )
