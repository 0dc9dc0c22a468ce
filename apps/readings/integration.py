"""Integrals of readings over bins of time, and how much of each bin the readings cover.

A value in kW gives kW·h, one in °C gives °C·h. Signs are kept: what is negative in the readings stays so.
Time that no reading vouches for adds nothing to an integral and nothing to its coverage.

What a reading says of the time around it depends on the kind of its series:

* `gauge`: the straight line to the next reading, where that is at most `max_gap` away;
* `interval`: the value over its length, up to its own stamp;
* `step`: the value until the next reading, for `max_gap` at most;
* `counter`: nothing. Registers advance instead: `spread` says by how much in each bin.

Each becomes stretches of time in order and without overlap, which are cut at the bins' edges. So the parts of
a bin add up to the bin, and bins can be summed to longer ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from apps.readings.samples import Stamps, Values

_Number = TypeVar("_Number", np.int64, np.float64)

HOUR_MS = 3_600_000
LEAST_MAX_GAP_MS = 300_000
# Nothing else bounds the length of an interval whose cadence nobody declared: a local day has 25 h at most.
LONGEST_INTERVAL_MS = 25 * HOUR_MS


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches [begins, ends) ms, in order and without overlap, over which a value runs straight."""

    begins: Stamps
    ends: Stamps
    first: Values  # at the begin
    last: Values  # at the end

    def at(self, place: NDArray[np.intp], instants: Stamps) -> Values:
        """The values of the stretches `place` at `instants` inside them or at their ends."""
        begins, first = self.begins[place], self.first[place]
        passed = (instants - begins) / (self.ends[place] - begins)
        return first + (self.last[place] - first) * passed


def max_gap(cadence: float | None) -> int:
    """How far apart (ms) readings may be to vouch for the time between: 3 × `cadence` (s), at least 5 min."""
    return max(LEAST_MAX_GAP_MS, round(3000 * (cadence or 0)))


def reach(kind: str, *, max_gap: int) -> tuple[int, int]:
    """How far (ms) before and after a range readings still shape it; `integrate` needs those as well."""
    if kind == "interval":
        return max_gap, max(max_gap, LONGEST_INTERVAL_MS)
    return max_gap, 0 if kind == "step" else max_gap


def integrate(
    kind: str,
    stamps: Stamps,
    values: Values,
    edges: Stamps,
    *,
    max_gap: int,
    lengths: Values | None = None,
) -> tuple[Values, Stamps]:
    """The integral (unit·h) and the covered time (ms) of each bin between neighbouring `edges`.

    `stamps` (n,) int64 ms increase strictly and hold those within `reach` of the edges' range; `values` (n,)
    float64 are finite; `edges` (m + 1,) int64 ms increase strictly; both answers are (m,). `lengths` (n,), ms
    before the stamp, concern intervals alone: NaN, like no `lengths`, stands for the time since the reading
    before, where that is at most `max_gap`. An interval that reaches back over the reading before it is
    clipped there, so that nothing counts twice. A bin without coverage has the integral 0: use `mean` or the
    covered time to tell it from a true zero.

    Raises ValueError for counters and unknown kinds.
    """
    return integrate_stretches(stretches(kind, stamps, values, max_gap=max_gap, lengths=lengths), edges)


def integrate_stretches(stretches: Stretches, edges: Stamps) -> tuple[Values, Stamps]:
    """As `integrate`, of what is known as stretches already."""
    return _sum(_cut(stretches, edges), edges)


def stretches(
    kind: str, stamps: Stamps, values: Values, *, max_gap: int, lengths: Values | None = None
) -> Stretches:
    """What readings say of the time around them, by the kind of their series; see `integrate`."""
    if kind == "gauge":
        return _lines(stamps, values, max_gap)
    if kind == "step":
        return _holds(stamps, values, max_gap)
    if kind == "interval":
        return _intervals(stamps, values, max_gap, lengths)
    if kind == "counter":
        raise ValueError("A counter is a register: its increase has a meaning, its integral has none.")
    raise ValueError(f"“{kind}” is not a kind of series.")


def interval_begins(stamps: Stamps, *, max_gap: int, lengths: Values | None = None) -> Stamps:
    """Where the time (ms) that each reading of an interval covers begins; it ends at the own stamp."""
    begins = stamps - _known_lengths(stamps, max_gap, lengths)
    np.maximum(begins[1:], stamps[:-1], out=begins[1:])
    return begins


def spread(
    begins: Stamps, ends: Stamps, increases: Values, edges: Stamps, *, max_gap: int
) -> tuple[Values, Stamps, NDArray[np.bool_]]:
    """What a register advanced by in each bin between neighbouring `edges`, evenly over each advance.

    An advance by `increases` (n,) lasts from `begins` to `ends` (n,) ms; advances are in order and do not
    overlap, and all but what the edges cut off counts, however long one lasts. Answers, each (m,): the
    increase, the covered time (ms), and whether a part of it bridges a gap longer than `max_gap`.
    """
    whole = ends - begins
    pieces = _cut(Stretches(begins, ends, increases, increases), edges)
    bounds = np.searchsorted(pieces.begins, edges, "left")
    inside = slice(bounds[0], bounds[-1])
    lasting = pieces.ends[inside] - pieces.begins[inside]
    parts = lasting / whole[np.searchsorted(begins, pieces.begins[inside], "right") - 1]
    long = whole > max_gap
    bridged = _touched(begins[long], ends[long], edges)
    return _binned(pieces.first[inside] * parts, bounds), _binned(lasting, bounds), bridged


def mean(integral: Values, covered: Stamps) -> Values:
    """Means over the covered time, in the unit of the readings; NaN where nothing is covered."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(covered > 0, integral * HOUR_MS / covered, np.nan)


def coverage(covered: Stamps, edges: Stamps) -> Values:
    """The part of each bin that is covered, 0 to 1."""
    return covered / np.diff(edges)


def lengths_at(stamps: Stamps, length_stamps: Stamps, lengths: Values) -> Values:
    """The lengths on record for `stamps` (n,), NaN where there is none; `length_stamps` increase strictly."""
    if not length_stamps.size:
        return np.full(stamps.size, np.nan)
    places = np.searchsorted(length_stamps, stamps).clip(max=length_stamps.size - 1)
    return np.where(length_stamps[places] == stamps, lengths[places], np.nan)


def _lines(stamps: Stamps, values: Values, max_gap: int) -> Stretches:
    near = np.diff(stamps) <= max_gap
    if near.all():
        return Stretches(stamps[:-1], stamps[1:], values[:-1], values[1:])
    return Stretches(stamps[:-1][near], stamps[1:][near], values[:-1][near], values[1:][near])


def _holds(stamps: Stamps, values: Values, max_gap: int) -> Stretches:
    ends = stamps + max_gap
    np.minimum(ends[:-1], stamps[1:], out=ends[:-1])
    return Stretches(stamps, ends, values, values)


def _intervals(stamps: Stamps, values: Values, max_gap: int, lengths: Values | None) -> Stretches:
    begins = interval_begins(stamps, max_gap=max_gap, lengths=lengths)
    some = begins < stamps
    return Stretches(begins[some], stamps[some], values[some], values[some])


def _known_lengths(stamps: Stamps, max_gap: int, lengths: Values | None) -> Stamps:
    """Whole ms; 0 where neither a length nor a near reading before tells one."""
    gaps = np.diff(stamps, prepend=stamps[:1])
    gaps[gaps > max_gap] = 0
    if lengths is None:
        return gaps
    # The upper bound only keeps absurd lengths within 64 bits: nothing is stamped before 1970.
    recorded = np.rint(np.clip(np.nan_to_num(lengths), 0, stamps)).astype(np.int64)
    return np.where(np.isnan(lengths), gaps, recorded)


def _cut(stretches: Stretches, edges: Stamps) -> Stretches:
    """The same stretches, none of them across an edge."""
    if not stretches.begins.size:
        return stretches
    place = np.searchsorted(stretches.begins, edges, "left") - 1
    inside = (place >= 0) & (edges < stretches.ends[place])
    place, cuts = place[inside], edges[inside]
    if not cuts.size:
        return stretches
    at_cuts = stretches.at(place, cuts)
    return Stretches(
        np.insert(stretches.begins, place + 1, cuts),
        np.insert(stretches.ends, place, cuts),
        np.insert(stretches.first, place + 1, at_cuts),
        np.insert(stretches.last, place, at_cuts),
    )


def _sum(pieces: Stretches, edges: Stamps) -> tuple[Values, Stamps]:
    """Sums per bin of pieces that lie within bins."""
    bounds = np.searchsorted(pieces.begins, edges, "left")
    inside = slice(bounds[0], bounds[-1])
    lasting = pieces.ends[inside] - pieces.begins[inside]
    # Whole milliseconds round less than fractions of an hour: those come last.
    areas = (pieces.first[inside] + pieces.last[inside]) * lasting
    return _binned(areas, bounds) / (2 * HOUR_MS), _binned(lasting, bounds)


def _touched(begins: Stamps, ends: Stamps, edges: Stamps) -> NDArray[np.bool_]:
    """The bins that share time with any of some stretches."""
    bins = edges.size - 1
    inside = (begins < edges[-1]) & (ends > edges[0])
    first = np.searchsorted(edges, begins[inside], "right").clip(min=1) - 1
    last = np.searchsorted(edges, ends[inside], "left").clip(max=bins)
    changes = np.bincount(first, minlength=bins + 1) - np.bincount(last, minlength=bins + 1)
    return np.cumsum(changes)[:bins] > 0


def _binned(amounts: NDArray[_Number], bounds: NDArray[np.intp]) -> NDArray[_Number]:
    """Sums of `amounts` between neighbouring `bounds`, which count from the first of them; 0 where empty.

    reduceat adds pairwise and each bin by itself, where differences of one running sum would lose digits.
    """
    sums = np.zeros(bounds.size - 1, amounts.dtype)
    filled = np.diff(bounds) > 0
    if filled.any():
        sums[filled] = np.add.reduceat(amounts, (bounds[:-1] - bounds[0])[filled])
    return sums
