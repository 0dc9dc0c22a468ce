"""Taking in an upload: what can be stored is stored before this returns, the rest is told back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.devices import events, sessions, states
from apps.devices.edge import batches, happenings, refused
from apps.devices.edge.batches import Part
from apps.devices.edge.body import Envelope, TooLargeError
from apps.devices.edge.parts import Scene, Target
from apps.devices.edge.refusals import Ledger
from apps.houses.models import House
from apps.readings import store
from apps.readings.sql import fetch

MOST_EVENTS = (
    20_000  # of one upload, changed states among them: each is a row, and together they take seconds
)


class GoneError(LookupError):
    """The house was deleted while its credential was still remembered."""


@dataclass(frozen=True)
class Receipt:
    """The answer to an upload: readings stored, events stored, what was refused; whether commands wait."""

    stored: int
    events: int
    refused: list[dict[str, str | int | None]]
    commands: bool

    def answer(self) -> dict[str, Any]:
        """As JSON, which tells of commands when there are any."""
        told = {"stored": self.stored, "events": self.events, "refused": self.refused}
        return {**told, "commands": True} if self.commands else told


def receive(*, house: House, envelope: Envelope, received_at: datetime) -> Receipt:
    """Store an upload of the agent of `house`. Repeating it changes nothing.

    Raises GoneError; TooLargeError for too many events; store.UnknownSource or IntegrityError when a source
    is deleted meanwhile: try again.
    """
    scene = _scene(house, received_at)
    parts = [part for raw in envelope.batches if (part := batches.read(raw, scene))]
    reported = _reported(parts)
    happened = happenings.read_all(envelope.events, scene)
    changed = states.changed(reported)
    if len(happened) + len(changed) > MOST_EVENTS:
        raise TooLargeError(f"The upload has more than {MOST_EVENTS:,} events and changed states.")
    store.append(_uploads(parts, reported), received_at=received_at)
    events.add(house=house, happened=[*happened, *changed])
    sessions.renew(happened=happened)
    refused.note(house=house, ledger=scene.ledger, targets=scene.targets, at=received_at)
    stored = sum(part.stored for part in parts)
    return Receipt(stored, len(happened), scene.ledger.entries(), scene.commands)


# Not through the ORM: it would spend more on building this than everything else on a small upload.
_SCENE = """
SELECT house.enabled,
       EXISTS (SELECT FROM devices_command AS command
               JOIN readings_source AS told ON told.id = command.device_id AND told.enabled
               WHERE command.house_id = %(house)s::bigint AND command.state = 'waiting'
               AND command.fetched_at IS NULL AND command.expires_at > %(now)s::timestamptz),
       source.name, source.id, source.enabled, source.sealed_before
FROM houses_house AS house
LEFT JOIN readings_source AS source ON source.house_id = house.id AND source.namespace = 'device'
WHERE house.id = %(house)s::bigint
"""


def _scene(house: House, received_at: datetime) -> Scene:
    """The house as it is now: a remembered credential may know an older state of it."""
    rows = fetch(_SCENE, {"house": house.pk, "now": received_at})
    if not rows:
        raise GoneError
    return Scene(
        enabled=rows[0][0],
        targets={name: Target(*target) for _, _, name, *target in rows if name is not None},
        now=int(received_at.timestamp() * 1000),
        ledger=Ledger(),
        commands=rows[0][0] and rows[0][1],
    )


def _reported(parts: Iterable[Part]) -> states.Reported:
    reported: states.Reported = defaultdict(list)
    for part in parts:
        for field, stated in part.states.items():
            if stated:
                reported[part.source_id, field] += stated
    return reported


def _uploads(parts: Iterable[Part], reported: states.Reported) -> list[store.Upload]:
    blocks = defaultdict(list)
    for part in parts:
        if part.fields:
            blocks[part.source_id].append(store.Block(part.fields, part.stamps, part.values))
    newest = states.newest(reported)
    return [
        store.Upload(source_id, tuple(blocks[source_id]), newest[source_id])
        for source_id in sorted({*blocks, *newest})
    ]
