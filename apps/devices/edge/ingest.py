"""Taking in an upload: what can be stored is stored before this returns, the rest is told back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.devices import events, sessions
from apps.devices.edge import batches, happenings, refused
from apps.devices.edge.batches import Part, State
from apps.devices.edge.body import Envelope, TooLargeError
from apps.devices.edge.happenings import Happening
from apps.devices.edge.parts import Scene, Target
from apps.devices.edge.refusals import Ledger
from apps.houses.models import House
from apps.readings import store
from apps.readings.sql import fetch

MOST_EVENTS = (
    20_000  # of one upload, changed states among them: each is a row, and together they take seconds
)

Stated = list[tuple[int, State]]
"""States with their stamps."""
Reported = dict[tuple[int, str], Stated]
"""What was reported of each source's fields, in order of arrival."""


class GoneError(LookupError):
    """The house was deleted while its credential was still remembered."""


@dataclass(frozen=True)
class Receipt:
    """The answer to an upload: readings stored, events stored, and what was refused."""

    stored: int
    events: int
    refused: list[dict[str, str | int | None]]


def receive(*, house: House, envelope: Envelope, received_at: datetime) -> Receipt:
    """Store an upload of the agent of `house`. Repeating it changes nothing.

    Raises GoneError; TooLargeError for too many events; store.UnknownSource or IntegrityError when a source
    is deleted meanwhile: try again.
    """
    scene = _scene(house, received_at)
    parts = [part for raw in envelope.batches if (part := batches.read(raw, scene))]
    reported = _reported(parts)
    happened = happenings.read_all(envelope.events, scene)
    changed = _changed(reported)
    if len(happened) + len(changed) > MOST_EVENTS:
        raise TooLargeError(f"The upload has more than {MOST_EVENTS:,} events and changed states.")
    store.append(_uploads(parts, reported), received_at=received_at)
    events.add(house=house, happened=[*happened, *changed])
    sessions.renew(happened=happened)
    refused.note(house=house, ledger=scene.ledger, targets=scene.targets, at=received_at)
    return Receipt(sum(part.stored for part in parts), len(happened), scene.ledger.entries())


# Not through the ORM: it would spend more on building this than everything else on a small upload.
_SCENE = """
SELECT house.enabled, source.name, source.id, source.enabled, source.sealed_before
FROM houses_house AS house
LEFT JOIN readings_source AS source ON source.house_id = house.id AND source.namespace = 'device'
WHERE house.id = %(house)s::bigint
"""


def _scene(house: House, received_at: datetime) -> Scene:
    """The house as it is now: a remembered credential may know an older state of it."""
    rows = fetch(_SCENE, {"house": house.pk})
    if not rows:
        raise GoneError
    return Scene(
        enabled=rows[0][0],
        targets={name: Target(*target) for _, name, *target in rows if name is not None},
        now=int(received_at.timestamp() * 1000),
        ledger=Ledger(),
    )


def _reported(parts: Iterable[Part]) -> Reported:
    reported: Reported = defaultdict(list)
    for part in parts:
        for field, states in part.states.items():
            if states:
                reported[part.source_id, field] += states
    return reported


def _changed(reported: Reported) -> list[Happening]:
    """The events that the reported states amount to."""
    known = events.states_around({key: _span(states) for key, states in reported.items()})
    changed = {key: happenings.changes(known[key], states) for key, states in reported.items()}
    changed = {key: states for key, states in changed.items() if states}
    newest = store.latest({source_id for source_id, _ in changed}) if changed else {}
    for key, states in changed.items():
        states += _still(newest[key[0]].get(key[1]), known[key], reported[key])
    return [
        happenings.state_event(source_id, field, stamp, state)
        for (source_id, field), states in changed.items()
        for stamp, state in states
    ]


def _span(states: Stated) -> tuple[int, int]:
    stamps = [stamp for stamp, _ in states]
    return min(stamps), max(stamps)


def _still(newest: tuple[int, float | str | bool] | None, known: Stated, states: Stated) -> Stated:
    """The newest state, where a late report would hide that it still holds.

    When it arrived it was no change and so was not stored; after the late report it is one.
    """
    last_stamp, last_state = max(dict(states).items())
    if newest is None or isinstance(newest[1], float) or newest[0] <= last_stamp:
        return []
    hidden = newest[1] != last_state and not any(stamp > last_stamp for stamp, _ in known)
    return [(newest[0], newest[1])] if hidden else []


def _uploads(parts: Iterable[Part], reported: Reported) -> list[store.Upload]:
    blocks = defaultdict(list)
    for part in parts:
        if part.fields:
            blocks[part.source_id].append(store.Block(part.fields, part.stamps, part.values))
    newest = _newest(reported)
    return [
        store.Upload(source_id, tuple(blocks[source_id]), newest[source_id])
        for source_id in sorted({*blocks, *newest})
    ]


def _newest(reported: Reported) -> dict[int, dict[str, tuple[int, State]]]:
    """The newest state of each field; of equal stamps the last to arrive."""
    newest: dict[int, dict[str, tuple[int, State]]] = defaultdict(dict)
    for (source_id, field), states in reported.items():
        newest[source_id][field] = max(dict(states).items())
    return newest
