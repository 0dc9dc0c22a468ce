"""What we know of a house's agent: the device list it should run, and how it fares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import msgspec
from django.db.models import F, Q
from msgspec import Raw

from apps.devices.edge.body import MalformedError, decode
from apps.devices.edge.parts import value_of
from apps.devices.models import EdgeUnit
from apps.houses.models import House

NOTED_EVERY = timedelta(seconds=10)
MOST_REMEMBERED = 10_000
BIGGEST = 2**63 - 1
MOST_ERRORS = 200
VERSION_LENGTH = 40
TEXT_LENGTH = 500


@dataclass(frozen=True)
class About:
    """What an agent says of itself; None for what it does not say. `sent_at` in Unix ms by its clock."""

    version: str | None = None
    sent_at: int | None = None
    spool: int | None = None
    spool_bound: int | None = None
    config_version: int | None = None

    @classmethod
    def read(cls, raw: Raw) -> About:
        """From an upload; what is not of the agreed form counts as not said."""
        said = value_of(raw)
        if not isinstance(said, dict):
            return cls()
        return cls(
            version=_text(said.get("version"), VERSION_LENGTH),
            sent_at=_number(said.get("sent_at")),
            spool=_number(said.get("spool")),
            spool_bound=_number(said.get("spool_bound")),
            config_version=_number(said.get("config_version")),
        )

    def columns(self, now: datetime) -> dict[str, Any]:
        """The columns of EdgeUnit that this fills."""
        offset = None if self.sent_at is None else self.sent_at - int(now.timestamp() * 1000)
        said = {
            "agent_version": self.version,
            "running_version": self.config_version,
            "spool": self.spool,
            "spool_bound": self.spool_bound,
            "clock_offset_ms": offset,
        }
        return {"last_seen_at": now} | {name: value for name, value in said.items() if value is not None}


Identity = tuple[str | None, int | None]
"""The version of the agent's software and that of its device list."""


class Memory:
    """When this process last wrote down each agent, and as which. Safe to share between threads."""

    def __init__(self) -> None:
        self._noted: dict[int, tuple[datetime, Identity]] = {}
        self._lock = Lock()

    def due(self, house_id: int, about: About, now: datetime) -> bool:
        """Whether to write it down now: every ten seconds, and when it is not the one it was."""
        said = None if about == About() else (about.version, about.config_version)
        with self._lock:
            at, known = self._noted.get(house_id, (None, (None, None)))
            recent = at is not None and timedelta(0) <= now - at < NOTED_EVERY
            if recent and said in (None, known):
                return False
            if len(self._noted) >= MOST_REMEMBERED:
                self._noted.clear()
            self._noted[house_id] = (now, said or known)
            return True

    def clear(self) -> None:
        """Forget all agents."""
        with self._lock:
            self._noted.clear()


memory = Memory()


class AckError(msgspec.Struct):
    """A device that the agent cannot read, and why."""

    device: str
    message: str


class Ack(msgspec.Struct):
    """An agent's word that it uses a device list, and which of its devices it cannot read."""

    version: int
    errors: list[AckError] = []


_ACK = msgspec.json.Decoder(Ack)


def note(*, house: House, about: About, now: datetime) -> None:
    """Write down that the agent was heard of, and what it said, at most every ten seconds per process."""
    if not memory.due(house.pk, about, now):
        return
    columns = about.columns(now)
    EdgeUnit.objects.bulk_create(
        [EdgeUnit(house=house, **columns)],
        update_conflicts=True,
        unique_fields=["house"],
        update_fields=list(columns),
    )


def bump(house: House) -> None:
    """Number the device list anew, for whoever changes it, in the same transaction.

    Until its end other changes of the house's devices wait.
    """
    unit, _ = EdgeUnit.objects.get_or_create(house=house)
    EdgeUnit.objects.filter(pk=unit.pk).update(config_version=F("config_version") + 1)


def read_ack(body: bytes) -> Ack:
    """The acknowledgement in a request. Raises MalformedError."""
    ack = decode(_ACK, body)
    if not 0 <= ack.version <= BIGGEST:
        raise MalformedError("The version is none of ours.")
    return ack


def acknowledge(*, house: House, ack: Ack, now: datetime) -> None:
    """Write down which device list the agent uses; one older than it uses already changes nothing.

    Raises MalformedError for a version that never was.
    """
    unit, _ = EdgeUnit.objects.get_or_create(house=house)
    if ack.version > unit.config_version:
        raise MalformedError(f"There is no version {ack.version}; the newest is {unit.config_version}.")
    newer = Q(acked_version=None) | Q(acked_version__lte=ack.version)
    EdgeUnit.objects.filter(newer, pk=unit.pk).update(
        acked_version=ack.version, acked_at=now, ack_errors=_told(ack.errors)
    )


def _told(errors: list[AckError]) -> list[dict[str, str | None]]:
    return [
        {"device": _text(error.device, TEXT_LENGTH), "message": _text(error.message, TEXT_LENGTH)}
        for error in errors[:MOST_ERRORS]
    ]


def _number(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= BIGGEST else None


def _text(value: object, length: int) -> str | None:
    return value.replace("\0", "")[:length] if isinstance(value, str) else None
