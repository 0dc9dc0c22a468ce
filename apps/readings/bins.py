"""Series as means over bins of the house's calendar, computed from the readings themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from apps.readings import calendar, integration, store
from apps.readings.calendar import DAY_MS
from apps.readings.models import Kind, Series
from apps.readings.samples import Samples, Stamps, Values

LENGTH = "_length"  # the reserved field: ms covered before a stamp

# How much is in memory at once, whatever the range: half a year of one series, a day of 180.
SERIES_DAYS = 180


@dataclass(frozen=True, eq=False)
class Binned:
    """Means of one series. All are (n,): a bin begins at `starts` ms, NaN in `values` is missing.

    `coverage` is the part of each bin, 0 to 1, that readings vouch for. `values` are in the series' unit.
    """

    starts: Stamps
    values: Values
    coverage: Values


def binned_means(
    series: Sequence[Series], *, zone: str, every: str, start: int, end: int
) -> dict[int, Binned]:
    """Means (integral ÷ covered time) of each series, by its id, over the bins that cover [start, end) ms.

    Bins are those of `calendar.edges`; the first and the last are whole even where the range is not, so that
    a bin's value does not depend on who asks. The running bin is known as far as readings go.

    Raises ValueError for counters, for an unknown zone or `every`, and where `end` is not after `start`.
    """
    edges = calendar.edges(zone, every, start, end)
    return {
        number: Binned(edges[:-1], integration.mean(*sums), integration.coverage(sums[1], edges))
        for number, sums in integrals(series, edges).items()
    }


def integrals(series: Sequence[Series], edges: Stamps) -> dict[int, tuple[Values, Stamps]]:
    """Integral (unit·h) and covered time (ms) of each series, by its id, for each bin between `edges` (ms).

    Both are (edges - 1,) and may be summed to longer bins. Raises ValueError for counters.
    """
    if not series:
        return {}
    lengths = _length_series(series)
    parts = [_integrals(series, lengths, chunk) for chunk in _chunks(edges, len(series))]
    return {
        one.pk: (
            np.concatenate([part[one.pk][0] for part in parts]),
            np.concatenate([part[one.pk][1] for part in parts]),
        )
        for one in series
    }


def _length_series(series: Sequence[Series]) -> dict[int, int]:
    """The series of recorded lengths, by source, of those sources that interval series belong to."""
    sources = {one.source_id for one in series if one.kind == Kind.INTERVAL}
    if not sources:
        return {}
    found = Series.objects.filter(source__in=sources, field=LENGTH).order_by()
    return dict(found.values_list("source_id", "id"))


def _chunks(edges: Stamps, series: int) -> Iterator[Stamps]:
    """Runs of neighbouring edges, each beginning with the last of the one before."""
    longest = SERIES_DAYS * DAY_MS // series
    first = 0
    while first < edges.size - 1:
        within = int(np.searchsorted(edges, edges[first] + longest, "right")) - 1
        last = max(first + 1, within)
        yield edges[first : last + 1]
        first = last


def _integrals(
    series: Sequence[Series], lengths: dict[int, int], edges: Stamps
) -> dict[int, tuple[Values, Stamps]]:
    gaps = {one.pk: integration.max_gap(one.cadence) for one in series}
    reaches = [integration.reach(one.kind, max_gap=gaps[one.pk]) for one in series]
    samples = store.read(
        [*gaps, *lengths.values()],
        start=int(edges[0]) - max(before for before, _ in reaches),
        end=int(edges[-1]) + max(after for _, after in reaches) + 1,
    )
    return {
        one.pk: integration.integrate(
            one.kind,
            samples[one.pk].stamps,
            samples[one.pk].values,
            edges,
            max_gap=gaps[one.pk],
            lengths=_lengths(one, samples, lengths),
        )
        for one in series
    }


def _lengths(series: Series, samples: dict[int, Samples], lengths: dict[int, int]) -> Values | None:
    if series.kind != Kind.INTERVAL or series.source_id not in lengths:
        return None
    recorded = samples[lengths[series.source_id]]
    return integration.lengths_at(samples[series.pk].stamps, recorded.stamps, recorded.values)
