"""Working off what is marked: days computed and rolled up, by the sweep and, sooner, after a hint."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from apps.readings import compaction, damage, dependencies, recompute, rolling
from apps.readings.models import Source
from apps.readings.sql import fetch
from config.hints import send_soon

logger = logging.getLogger(__name__)

SWEEP_S = 45.0  # a sweep ends before the next begins
HINTED_S = 20.0

# What derived days wait for comes first. Parts of the time, so that no backlog keeps the rest waiting.
_COMPACTING, _COMPUTING = 0.5, 0.75

_MARKED = """
SELECT source_id FROM readings_invalidation WHERE recompute IS NULL GROUP BY source_id ORDER BY min(seq)
"""


def sweep(*, now: datetime, seconds: float = SWEEP_S) -> int:
    """Compact what is due, compute what inputs' changes have marked, and roll up, for `seconds` at most.

    Inputs come before what is worked out from them. What is not done, or fails, is left to the next sweep.
    Returns how many source-days were compacted.
    """
    begin = time.monotonic()
    damage.forget_repaired()
    done = compaction.sweep(now=now, seconds=seconds * _COMPACTING)
    recompute.run_due(recompute.swept(), seconds=begin + seconds * _COMPUTING - time.monotonic())
    roll_all(seconds=begin + seconds - time.monotonic())
    return done


def roll_all(*, seconds: float) -> int:
    """Roll up marked days of all sources in turn, so that none waits for another's backlog; returns how many.

    Starts nothing after `seconds`.
    """
    until = time.monotonic() + seconds
    waiting = [source_id for (source_id,) in fetch(_MARKED, {})]
    done = 0
    while waiting and time.monotonic() < until:
        more = []
        for source_id in waiting:
            if time.monotonic() >= until:
                break
            count = _tried(source_id)
            done += count
            more += [source_id] if count else []
        waiting = more
    return done


def roll_source(source_id: int, *, seconds: float = HINTED_S) -> int:
    """Roll up the marked days of one source, starting none after `seconds`; returns how many."""
    until = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until and (count := rolling.roll(source_id)):
        done += count
    return done


def compact_and_follow(source_id: int, day: int) -> bool:
    """Compact a source-day, roll it up, and hint at the sources that are worked out from it.

    False when another worker has the source.
    """
    done = compaction.compact(source_id, day)
    if done:
        follow(source_id)
    return done


def follow(source_id: int) -> None:
    """Compute and roll up what is marked of a source, and hint at the sources worked out from it."""
    namespace = Source.objects.values_list("namespace", flat=True).filter(pk=source_id).first()
    if namespace in recompute.swept():
        recompute.run_due([namespace], seconds=HINTED_S, source_id=source_id)
    roll_source(source_id)
    _hint_dependents(source_id)


def _hint_dependents(source_id: int) -> None:
    dependents = dependencies.dependents_of([source_id])
    rows = Source.objects.filter(pk__in=dependents).order_by("pk").values_list("pk", "namespace")
    own = {namespace: recompute.own_task(namespace) for _, namespace in rows}
    for number, namespace in rows:
        if own[namespace] is None:
            send_soon("readings.follow", number)
    for task in sorted({task for task in own.values() if task}):
        send_soon(task)


def _tried(source_id: int) -> int:
    try:
        return rolling.roll(source_id)
    except Exception:
        logger.exception("Could not roll up source %s", source_id)
        return 0
