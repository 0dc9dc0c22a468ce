"""Some days of a source's series with what must be known of the days around them to work out any bin.

A bin is a function of its readings, the border of the nearest earlier day with data, and of later days the
first reading, or for counters the first advance. Nothing else is looked at, so it does not matter in which
order readings arrived or days are worked out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apps.readings import integration, quarantine
from apps.readings.borders import Border, Crossing, border
from apps.readings.counters import START, Advanced, Advances, Decision, State, advance
from apps.readings.integration import lengths_at
from apps.readings.models import Kind, Series
from apps.readings.query import read
from apps.readings.rollups import NO_ADVANCES, Stream
from apps.readings.samples import DAY, EMPTY, Samples, Values
from apps.readings.sql import fetch

LENGTH = "_length"  # the reserved field: ms covered before a stamp

_KNOWN = ("first_stamp", "first_value", "first_length", "last_stamp", "last_value")
_COLUMNS = f"series_id, day, {', '.join(_KNOWN)}, state::text, advance_start, advance_end, increase"

_BORDERS = """
SELECT {role}, found.* FROM unnest(%(series)b::bigint[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT {columns} FROM readings_boundary
    WHERE source_id = %(source)s::bigint AND series_id = asked.id AND {which}
) AS found
"""

_LOAD = " UNION ALL ".join(
    _BORDERS.format(role=role, columns=_COLUMNS, which=which)
    for role, which in (
        ("'before'", "day < %(first)s::int ORDER BY day DESC LIMIT 1"),
        ("'within'", "day BETWEEN %(first)s::int AND %(last)s::int"),
        ("'after'", "day > %(last)s::int ORDER BY day LIMIT 1"),
        ("'crossing'", "day > %(last)s::int AND advance_end IS NOT NULL ORDER BY day LIMIT 1"),
    )
)


@dataclass(frozen=True, eq=False)
class Followed:
    """One UTC day of a series: its samples, its border, and of counters what `advance` made of them."""

    samples: Samples
    border: Border
    advanced: Advanced | None


@dataclass
class Window:
    """UTC days [first_day, last_day] of some series of one source.

    `within` are the borders on record of those days. `before` and `after` are, by series, those of the
    nearest days with data outside; `crossings` the next advances of counters that end after the window.
    """

    first_day: int
    last_day: int
    series: Mapping[int, Series]
    samples: Mapping[int, Samples]
    lengths: Samples
    before: dict[int, tuple[int, Border]] = field(default_factory=dict)
    within: dict[int, dict[int, Border]] = field(default_factory=dict)
    after: dict[int, tuple[int, Border]] = field(default_factory=dict)
    crossings: dict[int, Crossing] = field(default_factory=dict)
    decisions: Mapping[int, Mapping[int, Decision]] = field(default_factory=dict)
    _followed: dict[int, dict[int, Followed]] = field(default_factory=dict)

    def days(self, number: int) -> dict[int, Followed]:
        """The days of a series that have data, in order."""
        if number not in self._followed:
            self._followed[number] = dict(self._follow(number))
        return self._followed[number]

    def stream(self, number: int) -> Stream:
        """What the bins of a series are worked out from, in the window and in the gap after it."""
        one, own = self.series[number], self.samples[number]
        max_gap = integration.max_gap(one.cadence)
        if one.kind == Kind.COUNTER:
            return Stream(one.kind, max_gap, own, EMPTY, advances=self._advances(number))
        around = [own]
        if number in self.before:
            known = self.before[number][1]
            around.insert(0, _single(known.last_stamp, known.last_value))
        if number in self.after:
            known = self.after[number][1]
            around.append(_single(known.first_stamp, known.first_value))
        joined = Samples(*(np.concatenate(parts) for parts in zip(*map(_pair, around), strict=True)))
        lengths = self._lengths(number, joined) if one.kind == Kind.INTERVAL else None
        return Stream(one.kind, max_gap, own, joined, lengths)

    def _follow(self, number: int) -> Iterator[tuple[int, Followed]]:
        one, samples = self.series[number], self.samples[number]
        state = self._state_before(number)
        for day in (samples.stamps[_firsts(samples)] // DAY).tolist():
            own = samples.between(day * DAY, (day + 1) * DAY)
            if one.kind != Kind.COUNTER:
                length = self._first_length(own) if one.kind == Kind.INTERVAL else None
                yield day, Followed(own, border(own, first_length=length), None)
                continue
            advanced = advance(
                state, own.stamps, own.values, quarantine.settings_of(one), self.decisions.get(number)
            )
            state = advanced.state
            yield day, Followed(own, border(own, advanced=advanced), advanced)

    def _state_before(self, number: int) -> State:
        known = self.before.get(number)
        return START if known is None or known[1].state is None else State.from_json(known[1].state)

    def _advances(self, number: int) -> Advances:
        parts = [day.advanced.advances for day in self.days(number).values() if day.advanced is not None]
        crossing = self.crossings.get(number)
        # An advance on record from before the last one here is about to be worked out again.
        if crossing and crossing.begin >= max((int(own.ends[-1]) for own in parts if len(own)), default=0):
            parts.append(
                Advances(np.array([crossing.begin]), np.array([crossing.end]), np.array([crossing.increase]))
            )
        if not parts:
            return NO_ADVANCES
        return Advances(
            np.concatenate([own.begins for own in parts]),
            np.concatenate([own.ends for own in parts]),
            np.concatenate([own.increases for own in parts]),
        )

    def _lengths(self, number: int, around: Samples) -> Values:
        lengths = lengths_at(around.stamps, self.lengths.stamps, self.lengths.values)
        if number in self.after and self.after[number][1].first_length is not None:
            lengths[-1] = self.after[number][1].first_length
        return lengths

    def _first_length(self, own: Samples) -> float | None:
        length = float(lengths_at(own.stamps[:1], self.lengths.stamps, self.lengths.values)[0])
        return None if np.isnan(length) else length


def lengths_of(series: Sequence[Series]) -> list[Series]:
    """The series of recorded lengths of those sources that interval series belong to."""
    sources = {one.source_id for one in series if one.kind == Kind.INTERVAL}
    return list(Series.objects.filter(source__in=sources, field=LENGTH).order_by()) if sources else []


def load(
    source_id: int,
    series: Sequence[Series],
    first_day: int,
    last_day: int,
    *,
    sealed_day: int,
    tail: bool,
) -> Window:
    """The window of `series`, reserved fields left out, with or without what is not compacted yet.

    Days before `sealed_day` have no readings any more: their borders stand for them.
    """
    wanted = {one.pk: one for one in series if not one.field.startswith("_")}
    lengths = [one.pk for one in series if one.field == LENGTH]
    counters = [one.pk for one in wanted.values() if one.kind == Kind.COUNTER]
    start, end = max(first_day, sealed_day) * DAY, (last_day + 1) * DAY
    found = read([*wanted, *lengths], start=start, end=end, tail=tail)
    window = Window(
        first_day=first_day,
        last_day=last_day,
        series=wanted,
        samples={number: found[number] for number in wanted},
        lengths=found[lengths[0]] if lengths else EMPTY,
        decisions=quarantine.decisions_of(counters, start=start, end=end) if counters else {},
    )
    _load_borders(window, source_id, sealed_day)
    return window


def _load_borders(window: Window, source_id: int, sealed_day: int) -> None:
    asked = {
        "source": source_id,
        "series": list(window.series),
        "first": window.first_day,
        "last": window.last_day,
    }
    for role, number, day, known in _borders(asked):
        if role == "within":
            window.within.setdefault(number, {})[day] = known
        elif role == "crossing" and known.crossing is not None:
            window.crossings[number] = known.crossing
        elif role == "before":
            window.before[number] = day, known
        elif role == "after":
            window.after[number] = day, known
    for number, own in window.within.items():
        if sealed := [day for day in own if day < sealed_day]:
            window.before[number] = max(sealed), own[max(sealed)]


def _borders(asked: dict[str, Any]) -> Iterator[tuple[str, int, int, Border]]:
    for role, number, day, *known, state, begin, end, increase in fetch(_LOAD, asked):
        crossing = None if begin is None else Crossing(begin, end, increase)
        state = None if state is None else json.loads(state)
        yield (
            role,
            number,
            day,
            Border(**dict(zip(_KNOWN, known, strict=True)), state=state, crossing=crossing),
        )


def _firsts(samples: Samples) -> Any:
    """The places at which a UTC day begins: days are told from few stamps instead of from all."""
    days = samples.stamps // DAY
    return np.flatnonzero(np.diff(days, prepend=days[:1] - 1))


def _single(stamp: int, value: float) -> Samples:
    return Samples(np.array([stamp], np.int64), np.array([value], np.float64))


def _pair(samples: Samples) -> tuple[Any, Any]:
    return samples.stamps, samples.values
