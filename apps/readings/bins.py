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

# How much is in memory at once, whatever the range: four months of one series, one month of four.
SERIES_DAYS = 124


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
    lengths = _length_series(series)
    together = max(1, SERIES_DAYS * DAY_MS // int(np.diff(edges).max()))
    groups = [series[first : first + together] for first in range(0, len(series), together)]
    return {number: sums for group in groups for number, sums in _group(group, lengths, edges).items()}


def _group(
    series: Sequence[Series], lengths: dict[int, int], edges: Stamps
) -> dict[int, tuple[Values, Stamps]]:
    bins = edges.size - 1
    answer = {one.pk: (np.zeros(bins), np.zeros(bins, np.int64)) for one in series}
    for first, last in _chunks(series, edges):
        for number, (integral, covered) in _integrals(series, lengths, edges[first : last + 1]).items():
            answer[number][0][first:last] = integral
            answer[number][1][first:last] = covered
    return answer


def _length_series(series: Sequence[Series]) -> dict[int, int]:
    """The series of recorded lengths, by source, of those sources that interval series belong to."""
    sources = {one.source_id for one in series if one.kind == Kind.INTERVAL}
    if not sources:
        return {}
    found = Series.objects.filter(source__in=sources, field=LENGTH).order_by()
    return dict(found.values_list("source_id", "id"))


def _chunks(series: Sequence[Series], edges: Stamps) -> Iterator[tuple[int, int]]:
    """Which bins to work out at once, [first, last), leaving out those that no reading can reach."""
    longest = SERIES_DAYS * DAY_MS // len(series)
    first, end = 0, edges.size - 1
    if edges[-1] - edges[0] > longest:  # only a long range is worth the question
        first, end = _within_reach(series, edges)
    while first < end:
        within = int(np.searchsorted(edges, edges[first] + longest, "right")) - 1
        last = min(max(first + 1, within), end)
        yield first, last
        first = last


def _within_reach(series: Sequence[Series], edges: Stamps) -> tuple[int, int]:
    """The bins [first, last) that what is stored can say anything of."""
    start, end = store.extent({one.source_id for one in series})
    before, after = _reach(series)
    first = int(np.searchsorted(edges, start - after, "right")) - 1
    last = int(np.searchsorted(edges, end + before, "left"))
    return max(0, first), min(last, edges.size - 1)


def _reach(series: Sequence[Series]) -> tuple[int, int]:
    """How far (ms) before and after a range readings still shape it."""
    befores, afters = zip(
        *(integration.reach(one.kind, max_gap=integration.max_gap(one.cadence)) for one in series),
        strict=True,
    )
    return max(befores), max(afters)


def _integrals(
    series: Sequence[Series], lengths: dict[int, int], edges: Stamps
) -> dict[int, tuple[Values, Stamps]]:
    gaps = {one.pk: integration.max_gap(one.cadence) for one in series}
    before, after = _reach(series)
    samples = store.read(
        [*gaps, *lengths.values()],
        start=int(edges[0]) - before,
        end=int(edges[-1]) + after + 1,
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
