"""Which sources are worked out from which others, how far they reach, and what to do when that changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db import transaction

from apps.readings import marks
from apps.readings.models import Dependency, Namespace, Source
from apps.readings.sql import fetch

_LOCK = 0x5745 << 40  # edits of dependencies are rare, and two of them together could close a cycle


class Reach(NamedTuple):
    """How many UTC days before and after its own a derived day reads of an input."""

    before_days: int
    after_days: int


class DependencyCycleError(ValueError):
    """A source would be worked out from itself; `cycle` is the way round, by ids, ends included."""

    def __init__(self, cycle: list[int], names: Mapping[int, str]) -> None:
        way = " → ".join(f"“{names.get(number, number)}”" for number in cycle)
        super().__init__(f"This would depend on itself: {way}. Leave one of these out.")
        self.cycle = cycle


@transaction.atomic
def depend(*, source_id: int, inputs: Mapping[int, Reach]) -> None:
    """Let a source's days be worked out from those of `inputs` (by source id), and of no others.

    Marks nothing: call `invalidate` for the days that this changes. Raises DependencyCycleError, naming the
    cycle, and ValueError for a negative reach.
    """
    if any(min(reach) < 0 for reach in inputs.values()):
        raise ValueError("A reach counts days and is not negative.")
    fetch("SELECT pg_advisory_xact_lock(%(key)s::bigint)::text", {"key": _LOCK})
    if cycle := _cycle(source_id, inputs):
        raise DependencyCycleError(cycle, _names(cycle))
    Dependency.objects.filter(source=source_id).delete()
    Dependency.objects.bulk_create(
        Dependency(source_id=source_id, input_id=number, before=reach.before_days, after=reach.after_days)
        for number, reach in sorted(inputs.items())
    )


def inputs_of(source_id: int) -> dict[int, Reach]:
    """What a source is worked out from, by source id."""
    rows = Dependency.objects.filter(source=source_id).values_list("input", "before", "after")
    return {number: Reach(before, after) for number, before, after in rows}


def dependents_of(source_ids: Iterable[int]) -> set[int]:
    """The sources that are worked out directly from any of `source_ids`."""
    return set(Dependency.objects.filter(input__in=set(source_ids)).values_list("source", flat=True))


def invalidate(*, source_id: int, first_day: int, last_day: int, reason: str) -> int:
    """Have a source's UTC days [first_day, last_day] worked out again; returns how many that are.

    A source with inputs is computed again and then rolled up, any other is rolled up. Days that hold nothing
    and for which no input has data are left out, as are derived ones that read sealed readings: those keep
    their values. Takes part in the caller's transaction; `reason` is told to people (40 characters).
    """
    return marks.whole_range(source_id, first_day, last_day, reason)


def in_order(source_ids: Collection[int]) -> list[int]:
    """The sources so that each comes after all that it is worked out from, however indirectly."""
    reads: dict[int, set[int]] = {}
    for source, number in Dependency.objects.values_list("source", "input"):
        reads.setdefault(source, set()).add(number)
    depths: dict[int, int] = {}
    return sorted(source_ids, key=lambda number: (_depth(number, reads, depths), number))


def _depth(source_id: int, reads: Mapping[int, Collection[int]], depths: dict[int, int]) -> int:
    """How long the longest way to a source without inputs is; there are no cycles."""
    if source_id not in depths:
        below = [_depth(number, reads, depths) for number in reads.get(source_id, ())]
        depths[source_id] = 1 + max(below, default=-1)
    return depths[source_id]


def _cycle(source_id: int, inputs: Collection[int]) -> list[int] | None:
    """The way from `source_id` over `inputs` back to itself, if there is one."""
    ways = {number: [source_id, number] for number in inputs}
    fresh = set(inputs)
    while fresh and source_id not in ways:
        rows = Dependency.objects.filter(source__in=fresh).order_by().values_list("source", "input")
        found = {number: [*ways[via], number] for via, number in rows if number not in ways}
        ways |= found
        fresh = set(found)
    return ways.get(source_id)


def _names(source_ids: Collection[int]) -> dict[int, str]:
    rows = Source.objects.filter(pk__in=source_ids).values_list("pk", "namespace", "name")
    return {
        number: f"analytics.{name}" if namespace == Namespace.ANALYTICS else name
        for number, namespace, name in rows
    }
