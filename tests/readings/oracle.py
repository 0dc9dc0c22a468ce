"""What rollups must be, worked out naively from the whole history of a series at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from apps.readings.counters import START, Decision, Settings, advance

MINUTE = 60_000
HOUR = 60 * MINUTE


@dataclass
class Hour:
    begin: int
    end: int
    values: list[float] = field(default_factory=list)
    covered: int = 0
    integral: float = 0.0
    increase: float = 0.0
    bridged: bool = False


def hours_of(zone: str, start: int, end: int) -> Iterator[tuple[date, Hour]]:
    """The local hours from the one that holds `start` on, found minute by minute, with their dates."""
    tz = ZoneInfo(zone)

    def local(minute: int) -> datetime:
        return datetime.fromtimestamp(minute * 60, tz)

    first = start // MINUTE
    edges = [
        minute
        for minute in range(first - 90, end // MINUTE + 90)
        if local(minute).minute == 0 or local(minute).utcoffset() != local(minute - 1).utcoffset()
    ]
    day = date.min
    for begin, until in pairwise(edges):
        # Where the clock goes back over midnight, the old date does not begin again.
        day = max(day, local(begin).date())
        yield day, Hour(begin * MINUTE, until * MINUTE)


def rollups(
    kind: str,
    readings: dict[int, float],
    zone: str,
    *,
    max_gap: int,
    lengths: dict[int, float] | None = None,
    settings: Settings | None = None,
    decisions: dict[int, Decision] | None = None,
) -> dict[date, list[Hour]]:
    """All local days on which something is known of a series, each with all its hours."""
    if not readings:
        return {}
    stretches = list(
        _stretches(kind, readings, max_gap, lengths or {}, settings or Settings(), decisions or {})
    )
    begin = min([*readings, *(one[0] for one in stretches)])
    end = max([*readings, *(one[1] for one in stretches)]) + 1
    days: dict[date, list[Hour]] = {}
    for day, hour in hours_of(zone, begin - 25 * HOUR, end + 25 * HOUR):
        hour.values = [readings[stamp] for stamp in sorted(readings) if hour.begin <= stamp < hour.end]
        for stretch in stretches:
            _add(hour, kind, stretch, max_gap)
        days.setdefault(day, []).append(hour)
    return {day: hours for day, hours in days.items() if any(hour.values or hour.covered for hour in hours)}


def _stretches(
    kind: str,
    readings: dict[int, float],
    max_gap: int,
    lengths: dict[int, float],
    settings: Settings,
    decisions: dict[int, Decision],
) -> Iterator[tuple[int, int, float, float]]:
    """Stretches of time: begin, end, and the values at both ends, or a counter's increase twice."""
    stamps = sorted(readings)
    if kind == "counter":
        yield from _advances(readings, settings, decisions)
    if kind == "gauge":
        for before, after in pairwise(stamps):
            if after - before <= max_gap:
                yield before, after, readings[before], readings[after]
    if kind == "step":
        for before, after in pairwise([*stamps, 10**15]):
            yield before, min(after, before + max_gap), readings[before], readings[before]
    if kind == "interval":
        yield from _intervals(readings, max_gap, lengths)


def _advances(
    readings: dict[int, float], settings: Settings, decisions: dict[int, Decision]
) -> Iterator[tuple[int, int, float, float]]:
    stamps = sorted(readings)
    values = np.array([readings[stamp] for stamp in stamps])
    own = advance(START, np.array(stamps), values, settings, decisions).advances
    for begin, end, increase in zip(own.begins, own.ends, own.increases, strict=True):
        yield int(begin), int(end), float(increase), float(increase)


def _intervals(
    readings: dict[int, float], max_gap: int, lengths: dict[int, float]
) -> Iterator[tuple[int, int, float, float]]:
    for before, after in pairwise([None, *sorted(readings)]):
        assert after is not None
        near = before is not None and after - before <= max_gap
        length = lengths.get(after, after - before if near and before is not None else 0)
        begin = max(after - round(length), before or 0)
        if begin < after:
            yield begin, after, readings[after], readings[after]


def _add(hour: Hour, kind: str, stretch: tuple[int, int, float, float], max_gap: int) -> None:
    begin, end, first, last = stretch
    low, high = max(begin, hour.begin), min(end, hour.end)
    if low >= high:
        return
    hour.covered += high - low
    if kind == "counter":
        hour.increase += first * (high - low) / (end - begin)
        hour.bridged |= end - begin > max_gap
        return
    at = [first + (last - first) * (instant - begin) / (end - begin) for instant in (low, high)]
    hour.integral += (at[0] + at[1]) / 2 * (high - low) / HOUR


def close(found: float | None, wanted: float) -> bool:
    """Equal to 1e-9 of the larger, or both missing."""
    if found is None or math.isnan(found):
        return math.isnan(wanted)
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
