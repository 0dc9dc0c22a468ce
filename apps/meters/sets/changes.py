"""Which UTC days a change of a set's rules touches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from apps.meters.sets.definition import until
from apps.meters.sets.models import MeterSet, SetMember
from apps.readings.samples import DAY

ALL_DAYS = (0, 2**31 - 1000)
"""No reading is older than the first, none can be newer than the last."""
SETTINGS = ("topology", "grid_min", "tolerance_s", "coverage", "rating_kva", "tare_kw", "phases_match")
"""Settings of a set that all its values depend on."""

_FIRST, _LAST = ALL_DAYS[0] * DAY, ALL_DAYS[1] * DAY


def touched(
    before: MeterSet | None, after: MeterSet, was: Sequence[SetMember], now: Sequence[SetMember]
) -> list[tuple[int, int]]:
    """The stretches of UTC days [first, last] whose values may be others after a change.

    `was` and `now` are the members before and after.
    """
    if before is None or any(getattr(before, name) != getattr(after, name) for name in SETTINGS):
        return [ALL_DAYS]
    bounds = sorted({_FIRST, _LAST, *_bounds(was), *_bounds(now)})
    # A gap over the change may end on the day after.
    changed = [
        (begin // DAY, min((end - 1) // DAY + 1, ALL_DAYS[1]))
        for begin, end in pairwise(bounds)
        if _rules(was, begin) != _rules(now, begin)
    ]
    return _joined(changed)


def _bounds(members: Sequence[SetMember]) -> set[int]:
    ends = [until(member, members) for member in members]
    return {stamp for stamp in [*(member.since for member in members), *ends] if stamp is not None}


def _rules(members: Sequence[SetMember], at: int) -> set[tuple[object, ...]]:
    """What counts in a stretch that begins at a stamp. Accuracies change no value."""
    return {
        (member.source_id, member.field, member.role, member.polarity, member.pf_convention)
        for member in members
        if (member.since or _FIRST) <= at and at < (until(member, members) or _LAST)
    }


def _joined(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in stretches:
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found
