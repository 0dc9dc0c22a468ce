"""What is kept of a series for each bin of time, and how bins become longer ones. Pure.

Hours come from readings, days from hours, weeks and months from days. Sums are added exactly (`fsum`), so
that the parts of a bin add up to the bin whichever way they are grouped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.readings import integration
from apps.readings.counters import Advances
from apps.readings.quality import Quality
from apps.readings.samples import EMPTY, Samples, Stamps, Values

NAMES = ("count", "sum", "min", "max", "first", "last", "covered", "integral", "increase", "quality")
_NEVER_MISSING = {"count", "covered", "quality"}

NO_ADVANCES = Advances(EMPTY.stamps, EMPTY.stamps, EMPTY.values)

SECOND_MS = 1000
HOUR_S = 3600


@dataclass(frozen=True, eq=False, kw_only=True)
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
    integral: Values | None = None
    increase: Values | None = None
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


def nothing(kind: str) -> Stream:
    """A stream of which nothing is known."""
    advances = NO_ADVANCES if kind == "counter" else None
    return Stream(kind, 0, EMPTY, EMPTY, advances=advances)


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
    longer: dict[str, Any] = reduced(bins, places)
    return Columns(edges=bins.edges[places], **longer)


def gathered(bins: Columns, edges: Stamps, *, middles: Stamps) -> Columns:
    """Bins put where others are: each counts for the one between `edges` that holds its middle.

    `bins` need not follow each other, so their own edges are not looked at; `middles` (n,) do not decrease.
    A bin that nothing is put in is missing.
    """
    places = np.searchsorted(edges, middles, "right") - 1
    inside = slice(*np.searchsorted(places, (0, edges.size - 1)).tolist())
    runs = np.flatnonzero(np.diff(places[inside], prepend=-1, append=edges.size))
    own: dict[str, Any] = {name: column[inside] for name, column in _columns_of(bins).items()}
    found = reduced(Columns(edges=edges, **own), runs) if runs.size > 1 else {}
    filled = places[inside][runs[:-1]]
    put: dict[str, Any] = {name: _placed(name, found, filled, edges.size - 1, own) for name in NAMES}
    return Columns(edges=edges, **put)


def reduced(bins: Columns, places: NDArray[np.intp]) -> dict[str, Values]:
    """The columns of runs of bins, [places[i], places[i + 1]) each."""
    columns_ = _columns_of(bins)
    if places.size - 1 == len(bins):  # each is a run of its own
        return columns_
    return {name: _reduce(column, places, _RULES.get(name, _fsum)) for name, column in columns_.items()}


def _reduce(column: Values, places: NDArray[np.intp], rule: Callable[[Values], float]) -> Values:
    present = ~np.isnan(column)
    pairs = zip(places[:-1].tolist(), places[1:].tolist(), strict=True)
    parts = (column[begin:end][present[begin:end]] for begin, end in pairs)
    return np.array([rule(part) if part.size else math.nan for part in parts], np.float64)


def _placed(
    name: str, found: dict[str, Values], filled: NDArray[np.intp], count: int, own: dict[str, Values]
) -> Values | None:
    if name not in own:
        return None
    column = np.full(count, 0.0 if name in _NEVER_MISSING else math.nan)
    if name in found:
        column[filled] = found[name]
    return column


def _columns_of(bins: Columns) -> dict[str, Values]:
    """The columns that the kind of series has, by name."""
    return {name: column for name in NAMES if (column := getattr(bins, name)) is not None}


def _fsum(part: Values) -> float:
    return math.fsum(part.tolist())


_RULES: dict[str, Callable[[Values], float]] = {
    "min": lambda part: part.min(),
    "max": lambda part: part.max(),
    "first": lambda part: part[0],
    "last": lambda part: part[-1],
    "quality": lambda part: float(np.bitwise_or.reduce(part.astype(np.int64))),
}


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
