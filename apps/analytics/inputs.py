"""What the names in a formula stand for in a house, and what they hold, from the store and the events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from apps.analytics.formula import (
    Events,
    Field,
    FormulaError,
    Inputs,
    Node,
    Reach,
    Signal,
    Sparse,
    Spec,
    identifier,
    reach,
    references,
    shape,
)
from apps.devices.models import Event
from apps.houses.models import House
from apps.readings import integration, store
from apps.readings.bins import LENGTH
from apps.readings.models import Kind, Series, Source
from apps.readings.samples import Samples, Values
from apps.readings.series import named

MAX_EVENTS = 200_000  # in memory at once


@dataclass(frozen=True, eq=False)
class Bound:
    """An expanded formula, and the series that its fields stand for in `house`."""

    house: House
    node: Node
    series: Mapping[Field, Series]

    @cached_property
    def specs(self) -> dict[Field, Spec]:
        """What the formula language needs to know of its series."""
        return {field: spec_of(one) for field, one in self.series.items()}

    @cached_property
    def reach(self) -> Reach:
        """How far around an instant the result depends on readings."""
        return reach(self.node, self.specs)

    @property
    def source_ids(self) -> set[int]:
        """The sources of its series."""
        return {one.source_id for one in self.series.values()}


def bind(house: House, node: Node) -> Bound:
    """Look up what an expanded formula names. Two queries at most.

    Raises FormulaError, with the column, for a series or source that the house does not have, and where
    events meet signals.
    """
    shape(node)
    found = references(node)
    known = series_of(house, found.series)
    for field in found.series:
        if field not in known:
            name = identifier(field.source, field.field)
            raise FormulaError(f"This house has no series “{name}”.", field.column)
    _check_sources(house, found.events)
    return Bound(house, node, known)


def series_of(house: House, fields: Collection[Field]) -> dict[Field, Series]:
    """Those of `fields` that the house has, with their sources; one query."""
    names = {(one.source, one.field): one for one in fields}
    return {names[name]: one for name, one in named(house.pk, names).items()}


def spec_of(series: Series) -> Spec:
    """What the formula language needs to know of a series."""
    return Spec(series.kind, series.quantity, series.unit, series.cadence)


class Loader:
    """Reads what a bound formula needs, any part of time at a time."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._newest = store.latest(bound.source_ids)
        self._lengths = _length_series(bound.series.values())
        self._events = references(bound.node).events

    def load(self, start: int, end: int) -> Inputs:
        """The readings and events that shape the result in [start, end) ms.

        One statement for all readings, and one for events if there are any. Raises FormulaError for more
        events than MAX_EVENTS.
        """
        reach = self._bound.reach
        first, last = start - reach.before, end + reach.after + 1
        return Inputs(self._signals(first, last), self._sparse(first, last))

    def _signals(self, start: int, end: int) -> dict[Field, Signal]:
        series = self._bound.series
        wanted = [one.pk for one in series.values()] + list(self._lengths.values())
        held = store.read(wanted, start=start, end=end)
        lengths = _Lengths(self._lengths, held)
        return {field: self._signal(field, one, held[one.pk], lengths) for field, one in series.items()}

    def _signal(self, field: Field, series: Series, own: Samples, lengths: _Lengths) -> Signal:
        spec = self._bound.specs[field]
        recorded = lengths.of(series, own) if series.kind == Kind.INTERVAL else None
        newest = self._newest[series.source_id].get(series.field)
        return Signal(
            spec.behaves, own.stamps, own.values, spec.max_gap, recorded, newest[0] if newest else None
        )

    def _sparse(self, start: int, end: int) -> dict[Events, Sparse]:
        if not self._events:
            return {}
        rows = _rows(self._bound.house, self._events, start, end)
        return {leaf: _picked(leaf, rows) for leaf in self._events}


class _Lengths:
    """Recorded lengths of intervals, made once for all series of a source that share a clock."""

    def __init__(self, numbers: Mapping[int, int], held: Mapping[int, Samples]) -> None:
        self._numbers, self._held = numbers, held
        self._known: dict[tuple[int, int], Values] = {}

    def of(self, series: Series, own: Samples) -> Values | None:
        if series.source_id not in self._numbers:
            return None
        key = (series.source_id, id(own.stamps))
        if key not in self._known:
            recorded = self._held[self._numbers[series.source_id]]
            self._known[key] = integration.lengths_at(own.stamps, recorded.stamps, recorded.values)
        return self._known[key]


class _Row(NamedTuple):
    timestamp: int
    source: str | None
    type: str
    data: Any


def _check_sources(house: House, events: Iterable[Events]) -> None:
    asked = {name: one for one in events for name in one.sources}
    if not asked:
        return
    known = set(Source.objects.filter(house=house, name__in=asked).values_list("name", flat=True))
    for name, one in asked.items():
        if name not in known:
            raise FormulaError(f"This house has no source “{name}” to have events of.", one.column)


def _length_series(series: Iterable[Series]) -> dict[int, int]:
    """The series of recorded lengths, by source, where there are intervals."""
    sources = {one.source_id for one in series if one.kind == Kind.INTERVAL}
    if not sources:
        return {}
    found = Series.objects.filter(source__in=sources, field=LENGTH).order_by()
    return dict(found.values_list("source_id", "pk"))


def _rows(house: House, leaves: Sequence[Events], start: int, end: int) -> list[_Row]:
    """The events that any of `leaves` may mean, in an order that does not depend on how they arrived."""
    found = Event.objects.filter(house=house, timestamp__gte=start, timestamp__lt=end)
    if all(leaf.types for leaf in leaves):
        found = found.filter(type__in={name for leaf in leaves for name in leaf.types})
    if all(leaf.sources for leaf in leaves):
        found = found.filter(source__name__in={name for leaf in leaves for name in leaf.sources})
    ordered = found.order_by("timestamp", "source__name", "type", "digest")
    rows = ordered.values_list("timestamp", "source__name", "type", "data")[: MAX_EVENTS + 1]
    if len(rows) > MAX_EVENTS:
        raise FormulaError(f"There are more than {MAX_EVENTS} events in this time; shorten the range.")
    return [_Row(*row) for row in rows]


def _picked(leaf: Events, rows: Iterable[_Row]) -> Sparse:
    """The values that `leaf` finds in its events."""
    own = [row for row in rows if _is_meant(leaf, row)]
    stamps = np.array([row.timestamp for row in own], np.int64)
    values = [value_at(row.data, leaf.path) for row in own]
    return Sparse(stamps, _ordinals(stamps), np.array(values, np.float64))


def _is_meant(leaf: Events, row: _Row) -> bool:
    return (not leaf.types or row.type in leaf.types) and (not leaf.sources or row.source in leaf.sources)


def _ordinals(stamps: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The how-manieth of its stamp each is, from 0."""
    places = np.arange(stamps.size)
    return places - np.searchsorted(stamps, stamps, "left")


def value_at(data: Any, path: Sequence[str]) -> float:
    """The number that the data of an event holds at `path`; 1 without a path, NaN where there is none.

    Truth values are 1 and 0, and a text counts where it writes a number.
    """
    if not path:
        return 1.0
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    try:
        number = float(data) if isinstance(data, int | float | str) else np.nan
    except (ValueError, OverflowError):
        return np.nan
    return number if np.isfinite(number) else np.nan
