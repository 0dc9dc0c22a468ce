"""Series as they were read, for answers that a client can take in."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Sum

from apps.readings import store
from apps.readings.calendar import DAY_MS
from apps.readings.models import Segment, Series
from apps.readings.samples import Samples

MAX_POINTS = 200_000  # in one answer, all its series together


class TooManyPointsError(ValueError):
    """An answer would hold more than MAX_POINTS."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"The range holds {count} points; an answer without bins holds {MAX_POINTS} at most."
        )
        self.count = count


def samples(series: Sequence[Series], *, start: int, end: int) -> dict[int, Samples]:
    """The readings of each series, by its id, in [start, end) ms. Raises TooManyPointsError."""
    _check(_count_of_whole_days(series, start, end))
    found = store.read([one.pk for one in series], start=start, end=end)
    _check(sum(map(len, found.values())))
    return found


def _check(count: int) -> None:
    if count > MAX_POINTS:
        raise TooManyPointsError(count)


def _count_of_whole_days(series: Sequence[Series], start: int, end: int) -> int:
    """What compacted days within the range hold: enough to refuse ten years before decoding them."""
    segments = Segment.objects.filter(
        source__in={one.source_id for one in series},
        series__in=[one.pk for one in series],
        day__gte=-(-start // DAY_MS),
        day__lt=end // DAY_MS,
    )
    return segments.aggregate(total=Sum("count"))["total"] or 0
