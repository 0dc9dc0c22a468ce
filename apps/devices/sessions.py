"""Charging sessions: the start and the end that a charger reports, joined.

Events come late, repeated and in any order, and some never come. So sessions are a pure function of the
events, computed anew from the last end before the earliest event that came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from apps.devices.edge.happenings import Happening
from apps.devices.models import END_CHARGING, START_CHARGING, ChargingSession, Event
from apps.readings.models import Source

TYPES = (START_CHARGING, END_CHARGING)
LONGEST = 2**53


@dataclass(frozen=True)
class Report:
    """A start, or an end with what the charger says of the session: ms and mWh, None for what it does not."""

    stamp: int
    ends: bool
    duration: int | None = None
    energy: float | None = None


@dataclass(frozen=True)
class Session:
    """Stamps in Unix ms, None where not known; `start_seen` is false for a start reckoned from the end."""

    started_at: int | None
    ended_at: int | None
    start_seen: bool = True
    energy_mwh: float | None = None

    @property
    def at(self) -> int:
        """Its start, or its end where no start is known."""
        return cast(int, self.ended_at if self.started_at is None else self.started_at)


def join(reports: Iterable[Report], previous: Session | None = None) -> list[Session]:
    """The sessions that `reports`, which come after the end of `previous`, amount to, in order.

    An end belongs to the start its duration points at, else to the last one. A start left without an end is
    a session of its own, the last of them one that goes on. An end that reaches back into the session
    before it is that one's, told again.
    """
    sessions: list[Session] = [] if previous is None else [previous]
    starts: list[int] = []
    # At the same instant one car leaves before the next one comes, and who says more is heard first.
    for report in sorted(reports, key=lambda one: (one.stamp, not one.ends, one.duration is None)):
        last = sessions[-1] if sessions else None
        if not report.ends:
            if report.stamp not in starts and (last is None or last.started_at != report.stamp):
                starts.append(report.stamp)
        elif starts:
            sessions += _ended(starts, report)
            starts = []
        elif not _told_again(report, last):
            sessions.append(_without_start(report))
    sessions += [Session(start, None) for start in starts]
    return sessions if previous is None else sessions[1:]


def _ended(starts: Sequence[int], end: Report) -> list[Session]:
    """The session that ends, after those whose ends were lost; a start after its own is a repeat."""
    own = starts[-1]
    if end.duration is not None:
        begin = end.stamp - end.duration
        own = min(starts, key=lambda start: (abs(start - begin), start))
    lost = [Session(start, None) for start in starts if start < own]
    return [*lost, Session(own, end.stamp, energy_mwh=end.energy)]


def _told_again(end: Report, last: Session | None) -> bool:
    if last is None or last.ended_at is None:
        return False
    if end.duration is None or end.stamp == last.ended_at:
        return True
    return end.stamp - end.duration < last.ended_at


def _without_start(end: Report) -> Session:
    start = None if end.duration is None else end.stamp - end.duration
    return Session(start, end.stamp, start_seen=False, energy_mwh=end.energy)


def renew(*, happened: Iterable[Happening]) -> None:
    """Bring the sessions up to the stored events, where some of `happened` are of charging."""
    earliest: dict[int, int] = {}
    for event in happened:
        if event.source_id is not None and event.type in TYPES:
            stamp = earliest.get(event.source_id, event.timestamp)
            earliest[event.source_id] = min(stamp, event.timestamp)
    for source_id in sorted(earliest):
        recompute(source_id=source_id, since=earliest[source_id])


@transaction.atomic
def recompute(*, source_id: int, since: int = 0) -> None:
    """Compute the sessions of a source that events at `since` (ms) or later can change.

    Two at once wait for each other, so that the last to come has seen all events.
    """
    # Readings and events may still be stored meanwhile: they only need the source to stay.
    if not Source.objects.select_for_update(no_key=True).filter(pk=source_id).exists():
        return
    stored = ChargingSession.objects.filter(source_id=source_id)
    previous = _last_ended(stored, since)
    _replace(source_id, _after(stored, previous), join(_reports(source_id, previous), previous))


def _last_ended(stored: QuerySet[ChargingSession], since: int) -> Session | None:
    end = stored.filter(ended_at__lt=since).aggregate(last=Max("ended_at"))["last"]
    row = None if end is None else stored.filter(ended_at=end).order_by("id").last()
    return None if row is None else _session(row)


def _after(stored: QuerySet[ChargingSession], previous: Session | None) -> list[ChargingSession]:
    if previous is None:
        return list(stored)
    end = previous.ended_at
    return list(stored.filter(Q(ended_at__gt=end) | Q(ended_at=None, started_at__gte=end)))


def _reports(source_id: int, previous: Session | None) -> list[Report]:
    events = Event.objects.filter(source_id=source_id, type__in=TYPES)
    if previous is not None:
        end = previous.ended_at
        events = events.filter(Q(timestamp__gt=end) | Q(timestamp=end, type=START_CHARGING))
    rows = events.order_by("timestamp", "id").values_list("timestamp", "type", "data")
    return [_report(*row) for row in rows]


def _report(stamp: int, kind: str, data: dict[str, Any]) -> Report:
    duration, energy = _number(data.get("duration")), _number(data.get("energy"))
    return Report(stamp, kind == END_CHARGING, None if duration is None else round(duration), energy)


def _number(value: object) -> float | None:
    """What a charger says if it can be true: data may hold anything."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) and 0 <= value <= LONGEST else None


def _session(row: ChargingSession) -> Session:
    return Session(row.started_at, row.ended_at, row.start_seen, row.energy_mwh)


def _replace(source_id: int, stored: list[ChargingSession], sessions: list[Session]) -> None:
    """Sessions that stay as they were keep their rows."""
    known = {_session(row): row.pk for row in stored}
    kept = {known[session] for session in sessions if session in known}
    ChargingSession.objects.filter(pk__in={row.pk for row in stored} - kept).delete()
    ChargingSession.objects.bulk_create(
        ChargingSession(source_id=source_id, at=session.at, **vars(session))
        for session in sessions
        if session not in known
    )
