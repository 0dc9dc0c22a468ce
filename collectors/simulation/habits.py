"""What people do in a house: its load and the charging of its car, minute by minute."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import exp
from zoneinfo import ZoneInfo

from collectors.simulation.chance import MINUTES, dice, smooth

DAY_S = 86_400
SLOT = 15  # minutes; every zone's offset and every change of it falls on such a slot


@dataclass(frozen=True, slots=True)
class Session:
    """Something that takes constant power for a while; ``start`` and ``end`` in Unix seconds."""

    start: int
    end: int
    kw: float


@dataclass(frozen=True, slots=True)
class Visit:
    """The car at its charger: plugged in and unplugged, and power in between; all in Unix seconds."""

    arrival: int
    charging: Session
    departure: int


def load(seed: int, zone: ZoneInfo, day: int) -> list[float]:
    """The household's load in kW, without the car, at the 1441 minutes of a UTC day."""
    fridge = smooth(seed, "fridge", day, 48)
    flicker = smooth(seed, "flicker", day, MINUTES)
    habit = [_habit(minute) for minute in _local_minutes(zone, day)]
    watts = [0.28 + h + 0.14 * f + 0.05 * n for h, f, n in zip(habit, fridge, flicker, strict=True)]
    return _overlaid(watts, day, _around(_appliances, seed, zone, day))


def ev(seed: int, zone: ZoneInfo, kw: float, day: int) -> list[float]:
    """Power into the car in kW at the 1441 minutes of a UTC day: an evening session on most days."""
    return _overlaid([0.0] * (MINUTES + 1), day, _around(_charging, seed, zone, day, kw))


def visits(seed: int, zone: ZoneInfo, kw: float, day: int) -> Iterator[Visit]:
    """The car's visits that reach into a UTC day, in order.

    It is plugged in some minutes before power flows, and stays for a while when it is full.
    """
    for session in _around(_charging, seed, zone, day, kw):
        chance = dice(seed, "visit", session.start)
        visit = Visit(
            session.start - 120 - round(480 * chance.random()),
            session,
            session.end + 900 + round(2700 * chance.random()),
        )
        if visit.arrival < (day + 1) * DAY_S and visit.departure > day * DAY_S:
            yield visit


@lru_cache(maxsize=MINUTES)
def _habit(minute: int) -> float:
    """The usual load above the base at a local minute of the day: breakfast, lunch and a long evening."""
    return 0.7 * _peak(minute, 435, 45) + 0.3 * _peak(minute, 750, 60) + 1.1 * _peak(minute, 1170, 110)


def _peak(minute: int, middle: int, width: int) -> float:
    away = min(abs(minute - middle), MINUTES - abs(minute - middle))
    return exp(-0.5 * (away / width) ** 2)


def _local_minutes(zone: ZoneInfo, day: int) -> Iterator[int]:
    for slot in range(0, MINUTES + 1, SLOT):
        local = datetime.fromtimestamp(day * DAY_S + 60 * slot, zone)
        first = local.hour * 60 + local.minute
        yield from ((first + m) % MINUTES for m in range(min(SLOT, MINUTES + 1 - slot)))


def _around(
    plan: Callable[..., tuple[Session, ...]], seed: int, zone: ZoneInfo, day: int, *more: float
) -> Iterator[Session]:
    """The sessions of the local dates that can reach into a UTC day."""
    middle = datetime.fromtimestamp(day * DAY_S, UTC).date()
    for offset in (-2, -1, 0, 1):
        yield from plan(seed, zone, middle + timedelta(days=offset), *more)


def _overlaid(column: list[float], day: int, sessions: Iterator[Session]) -> list[float]:
    for session in sessions:
        first = max(0, -(-(session.start - day * DAY_S) // 60))
        last = min(MINUTES, (session.end - day * DAY_S) // 60)
        for minute in range(first, last + 1):
            column[minute] += session.kw
    return column


@lru_cache(maxsize=16)
def _appliances(seed: int, zone: ZoneInfo, date: date) -> tuple[Session, ...]:
    chance = dice(seed, "appliances", date)
    weekend = date.weekday() >= 5
    plans = [
        (0.95, 6.7, 1.0, 0.1, 1.9),  # chance, earliest hour, spread in hours, length in hours, kW: kettle
        (0.5 if weekend else 0.3, 9.0, 7.0, 1.6, 0.9),  # washing machine
        (0.9, 18.0, 1.5, 0.7, 2.2),  # oven
        (0.7, 20.0, 2.0, 1.2, 1.1),  # dishwasher
    ]
    return tuple(
        _at(zone, date, earliest + spread * chance.random(), length * (0.7 + 0.6 * chance.random()), kw)
        for odds, earliest, spread, length, kw in plans
        if chance.random() < odds
    )


@lru_cache(maxsize=16)
def _charging(seed: int, zone: ZoneInfo, date: date, kw: float) -> tuple[Session, ...]:
    chance = dice(seed, "ev", date)
    if chance.random() > 0.8:
        return ()
    return (_at(zone, date, 17.5 + 4 * chance.random(), 0.8 + 1.8 * chance.random(), kw),)


def _at(zone: ZoneInfo, date: date, hour: float, hours: float, kw: float) -> Session:
    midnight = datetime(date.year, date.month, date.day, tzinfo=zone)
    start = round(midnight.timestamp() + 3600 * hour)
    return Session(start, start + round(3600 * hours), kw)
