"""All detectors over all houses: which subjects are faulty, and which are in doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.alerts import agents, detectors, facts, rhythm, stuck
from apps.alerts.facts import Damaged, Waiting, Watched
from apps.alerts.kinds import Kind, Subject, Verdict
from apps.alerts.rhythm import Rhythm
from apps.alerts.stuck import Held
from apps.devices.models import EdgeUnit, Refusal
from apps.readings.times import milliseconds


@dataclass
class Picture:
    """What the detectors saw. Whatever is neither faulty nor doubtful is fine."""

    faulty: dict[Subject, dict[str, Any]] = field(default_factory=dict)
    doubtful: set[Subject] = field(default_factory=set)

    def add(self, subject: Subject, verdict: Verdict, evidence: dict[str, Any]) -> None:
        """Take in what a detector says of a subject: the last counts, as it may know a better reason."""
        self.faulty.pop(subject, None)
        self.doubtful.discard(subject)
        if verdict is Verdict.FAULTY:
            self.faulty[subject] = evidence
        elif verdict is Verdict.DOUBTFUL:
            self.doubtful.add(subject)


def look(now: datetime, offline: Collection[int]) -> Picture:
    """See how all houses fare; what is learnt of sources on the way is written down.

    `offline` are houses whose agent is known to be offline. Seven statements, however many sources, and those
    of the detectors that other apps registered.
    """
    picture = Picture()
    stamp = milliseconds(now)
    units = facts.units()
    for unit in units:
        _look_at_agent(picture, unit, stamp)
    away = {unit.house_id for unit in units if _offline(unit, stamp) is Verdict.FAULTY} | set(offline)
    _look_at_sources(picture, facts.sources(), away, stamp)
    _look_at_refusals(picture, facts.refusals(now))
    _look_at_quarantine(picture, facts.waiting())
    _look_at_damage(picture, facts.damaged())
    for seen in detectors.look(now):
        picture.add(*seen)
    return picture


def silent(source_ids: Collection[int], now: datetime) -> set[int]:
    """Those of the sources that say nothing for longer than their rhythm explains, for pages. One query.

    One nobody has looked at yet counts as heard of when its newest reading was made.
    """
    stamp = milliseconds(now)
    return {one.source_id for one in facts.sources(source_ids) if _says_nothing(one, stamp)}


def _says_nothing(one: Watched, now: int) -> bool:
    unknown = Rhythm(heard_at=now if one.newest is None else min(one.newest, now), newest=one.newest)
    known = rhythm.heard(one.rhythm or unknown, one.newest, now)
    return rhythm.is_silent(known, one.newest, one.cadence_ms, now)


def _offline(unit: EdgeUnit, now: int) -> Verdict:
    return agents.offline(milliseconds(unit.last_seen_at), now) if unit.last_seen_at else Verdict.FINE


def _look_at_agent(picture: Picture, unit: EdgeUnit, now: int) -> None:
    offline = _offline(unit, now)
    seen = milliseconds(unit.last_seen_at) if unit.last_seen_at else None
    picture.add(Subject(unit.house_id, None, Kind.OFFLINE), offline, {"since": seen})
    # What an agent said before it fell silent is no longer news, good or bad.
    known = offline is Verdict.FINE
    if unit.spool is not None and unit.spool_bound:
        verdict = agents.spool(unit.spool, unit.spool_bound) if known else Verdict.DOUBTFUL
        percent = min(100, 100 * unit.spool // unit.spool_bound)
        evidence = {"percent": percent, "bound": unit.spool_bound}
        picture.add(Subject(unit.house_id, None, Kind.SPOOL), verdict, evidence)
    if unit.clock_offset_ms is not None:
        verdict = agents.clock(unit.clock_offset_ms) if known else Verdict.DOUBTFUL
        evidence = {"offset_s": round(unit.clock_offset_ms / 1000)}
        picture.add(Subject(unit.house_id, None, Kind.CLOCK), verdict, evidence)


def _look_at_sources(picture: Picture, sources: list[Watched], away: Collection[int], now: int) -> None:
    rhythms = {one.source_id: _rhythm(one, now) for one in sources}
    arrived = [one for one in sources if rhythms[one.source_id] is not one.rhythm]
    values = facts.values([one.source_id for one in arrived])
    held: dict[int, dict[str, Held]] = {
        one.source_id: stuck.look(one.held, values.get(one.source_id, {})) for one in arrived
    }
    facts.remember((key, rhythms[key], known) for key, known in held.items())
    for one in sources:
        _look_at_silence(picture, one, rhythms[one.source_id], away, now)
        _look_at_values(picture, one, held.get(one.source_id, dict(one.held)))


def _rhythm(one: Watched, now: int) -> Rhythm:
    return rhythm.heard(one.rhythm or Rhythm(heard_at=now), one.newest, now)


def _look_at_silence(picture: Picture, one: Watched, known: Rhythm, away: Collection[int], now: int) -> None:
    """The sources of an agent that is offline are silent for that reason: one alert says so."""
    silent = rhythm.is_silent(known, one.newest, one.cadence_ms, now)
    verdict = Verdict.FAULTY if silent else Verdict.FINE
    if silent and one.by_agent and one.house_id in away:
        verdict = Verdict.DOUBTFUL
    since = None if one.newest is None else rhythm.last_heard(known, one.newest, now)
    patience = rhythm.patience(known, one.cadence_ms) // 60_000
    evidence = {"since": since, "patience_min": patience}
    picture.add(Subject(one.house_id, one.source_id, Kind.SILENT), verdict, evidence)


def _look_at_values(picture: Picture, one: Watched, held: dict[str, Held]) -> None:
    for name in stuck.stuck(held):
        evidence = {"since": held[name].since, "field": name, "value": held[name].value}
        picture.add(Subject(one.house_id, one.source_id, Kind.STUCK, name), Verdict.FAULTY, evidence)


def _look_at_refusals(picture: Picture, refusals: Iterable[Refusal]) -> None:
    for refusal in refusals:
        subject = Subject(refusal.house_id, refusal.source_id, Kind.REFUSED, refusal.code)
        evidence = {
            "code": refusal.code,
            "name": refusal.name,
            "field": refusal.field,
            "count": refusal.count,
            "last": milliseconds(refusal.last_at),
        }
        picture.add(subject, Verdict.FAULTY, evidence)


def _look_at_quarantine(picture: Picture, waiting: Iterable[Waiting]) -> None:
    for one in waiting:
        subject = Subject(one.house_id, one.source_id, Kind.QUARANTINE)
        picture.add(subject, Verdict.FAULTY, {"since": one.oldest, "count": one.count})


def _look_at_damage(picture: Picture, damaged: Iterable[Damaged]) -> None:
    for one in damaged:
        evidence = {"count": one.count, "error": one.error}
        picture.add(Subject(one.house_id, one.source_id, Kind.DAMAGED), Verdict.FAULTY, evidence)
