"""How the days of derived sources are computed: functions that higher layers register by namespace.

A source-day that an input's change has marked is computed first and rolled up afterwards. Both are found by
the sweep; a namespace whose own task computes its days is left to that task, which calls `run_due`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from apps.readings import damage, dependencies
from apps.readings.codec import CorruptPayload
from apps.readings.models import Source
from apps.readings.sql import fetch, run

logger = logging.getLogger(__name__)

Function = Callable[[int, int], None]
"""Computes a derived source's UTC day, called as function(source_id, day), and calls `store.replace_day`.

It may be called again for the same day at any time, also by two workers at once.
"""


class _Registered(NamedTuple):
    function: Function
    own_task: str | None


_functions: dict[str, _Registered] = {}

_SOURCES = """
SELECT DISTINCT work.source_id FROM readings_invalidation AS work
JOIN readings_source AS source ON source.id = work.source_id
WHERE work.recompute IS NOT NULL AND source.namespace = ANY(%(namespaces)b::text[])
    AND (%(source)s::bigint IS NULL OR work.source_id = %(source)s::bigint)
"""

_DAYS = """
SELECT day, recompute FROM readings_invalidation
WHERE source_id = %(source)s::bigint AND recompute IS NOT NULL ORDER BY day
"""

# Without a new number: what replaced the day has marked it itself, unless nothing changed.
_DONE = """
UPDATE readings_invalidation SET recompute = NULL
WHERE source_id = %(source)s::bigint AND day = %(day)s::int AND recompute = %(recompute)s::bigint
"""


def register(namespace: str, function: Function, *, own_task: str | None = None) -> None:
    """Have `function` compute the marked days of sources in `namespace`.

    With `own_task`, the name of a Celery task that calls `run_due` for the namespace, the sweep leaves those
    days to it, and hints go to it.
    """
    _functions[namespace] = _Registered(function, own_task)


def own_task(namespace: str) -> str | None:
    """The task that computes the namespace's days by itself, if one does."""
    return _functions[namespace].own_task if namespace in _functions else None


def swept() -> list[str]:
    """The namespaces whose days the sweep computes."""
    return [name for name, registered in _functions.items() if registered.own_task is None]


def run_due(namespaces: Collection[str], *, seconds: float, source_id: int | None = None) -> int:
    """Compute the marked days of sources in `namespaces`, or of one of them, inputs before what reads them.

    Starts none after `seconds`; what fails stays marked. Returns how many days it did.
    """
    until = time.monotonic() + seconds
    rows = fetch(_SOURCES, {"namespaces": list(namespaces), "source": source_id})
    done = 0
    for source in dependencies.in_order([number for (number,) in rows]):
        namespace = Source.objects.values_list("namespace", flat=True).filter(pk=source).first()
        if namespace is None:  # deleted meanwhile, and its marks with it
            continue
        function = _functions[namespace].function
        for day, recompute in fetch(_DAYS, {"source": source}):
            if time.monotonic() >= until:
                return done
            done += _tried(function, source, day, recompute)
    return done


def _tried(function: Function, source_id: int, day: int, recompute: int) -> bool:
    try:
        function(source_id, day)
    except Exception as error:
        logger.exception("Could not compute day %s of source %s", day, source_id)
        if isinstance(error, CorruptPayload):
            damage.note(source_id, day, damage.Step.COMPUTE, error)
        return False
    run(_DONE, {"source": source_id, "day": day, "recompute": recompute})
    return True
