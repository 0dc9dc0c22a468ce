"""States, such as a mode in words: stored when they change, in whatever order they are reported."""

from __future__ import annotations

from collections import defaultdict

from apps.devices import events
from apps.devices.edge import happenings
from apps.devices.edge.batches import State
from apps.devices.edge.happenings import Happening
from apps.readings import store

Stated = list[tuple[int, State]]
"""States with their stamps."""
Reported = dict[tuple[int, str], Stated]
"""What was reported of each source's fields, in order of arrival."""


def changed(reported: Reported) -> list[Happening]:
    """The events that the reported states amount to."""
    known = events.states_around({key: _span(stated) for key, stated in reported.items()})
    found = {key: happenings.changes(known[key], stated) for key, stated in reported.items()}
    found = {key: stated for key, stated in found.items() if stated}
    newest_known = store.latest({source_id for source_id, _ in found}) if found else {}
    for key, stated in found.items():
        stated += _still(newest_known[key[0]].get(key[1]), known[key], reported[key])
    return [
        happenings.state_event(source_id, field, stamp, state)
        for (source_id, field), stated in found.items()
        for stamp, state in stated
    ]


def _span(stated: Stated) -> tuple[int, int]:
    stamps = [stamp for stamp, _ in stated]
    return min(stamps), max(stamps)


def _still(newest: tuple[int, float | str | bool] | None, known: Stated, stated: Stated) -> Stated:
    """The newest state, where a late report would hide that it still holds.

    When it arrived it was no change and so was not stored; after the late report it is one.
    """
    last_stamp, last_state = max(dict(stated).items())
    if newest is None or isinstance(newest[1], float) or newest[0] <= last_stamp:
        return []
    hidden = newest[1] != last_state and not any(stamp > last_stamp for stamp, _ in known)
    return [(newest[0], newest[1])] if hidden else []


def newest(reported: Reported) -> dict[int, dict[str, tuple[int, State]]]:
    """The newest state of each field; of equal stamps the last to arrive."""
    found: dict[int, dict[str, tuple[int, State]]] = defaultdict(dict)
    for (source_id, field), stated in reported.items():
        found[source_id][field] = max(dict(stated).items())
    return found
