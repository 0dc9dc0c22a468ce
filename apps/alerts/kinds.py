"""The kinds of alerts, and how long a fault must last to open one and be over to clear it. Without Django."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum, auto
from typing import Any, NamedTuple

MINUTE = timedelta(minutes=1)


class Kind(StrEnum):
    WARNING = "warning"
    SILENT = "silent"
    STUCK = "stuck"
    OFFLINE = "offline"
    SPOOL = "spool"
    CLOCK = "clock"
    REFUSED = "refused"
    QUARANTINE = "quarantine"
    NEGATIVE = "negative"
    RESIDUAL = "residual"
    LOGGER = "logger"
    MUTE = "mute"
    FLASH = "flash"
    CLOCK_SET = "clock_set"
    MAPPING = "mapping"
    DAMAGED = "damaged"


TITLES = {
    Kind.WARNING: "Device warning",
    Kind.SILENT: "Silent source",
    Kind.STUCK: "Stuck value",
    Kind.OFFLINE: "Agent offline",
    Kind.SPOOL: "Spool nearly full",
    Kind.CLOCK: "Clock offset",
    Kind.REFUSED: "Refused data",
    Kind.QUARANTINE: "Counter in quarantine",
    Kind.NEGATIVE: "Below zero",
    Kind.RESIDUAL: "Balance residual",
    Kind.LOGGER: "Silent logger",
    Kind.MUTE: "Device does not answer",
    Kind.FLASH: "Flash nearly full",
    Kind.CLOCK_SET: "Clock was set",
    Kind.MAPPING: "Files wait to be mapped",
    Kind.DAMAGED: "Damaged readings",
}


class Verdict(Enum):
    """What a detector says. DOUBTFUL leaves an alert as it is: open stays open, closed stays closed."""

    FINE = auto()
    DOUBTFUL = auto()
    FAULTY = auto()


@dataclass(frozen=True)
class Patience:
    """A fault opens an alert when it has lasted for `opens`; it is cleared once it is over for `clears`."""

    opens: timedelta = timedelta(0)
    clears: timedelta = timedelta(0)


PATIENCE = {
    Kind.SILENT: Patience(opens=5 * MINUTE, clears=10 * MINUTE),
    Kind.STUCK: Patience(),
    Kind.OFFLINE: Patience(opens=2 * MINUTE, clears=3 * MINUTE),
    Kind.SPOOL: Patience(opens=2 * MINUTE, clears=5 * MINUTE),
    Kind.CLOCK: Patience(opens=3 * MINUTE, clears=5 * MINUTE),
    Kind.REFUSED: Patience(),
    Kind.QUARANTINE: Patience(),
    Kind.NEGATIVE: Patience(),
    Kind.RESIDUAL: Patience(),
    Kind.LOGGER: Patience(opens=5 * MINUTE),
    Kind.MUTE: Patience(),
    Kind.FLASH: Patience(),
    Kind.CLOCK_SET: Patience(),
    Kind.MAPPING: Patience(),
    Kind.DAMAGED: Patience(),
}
"""Of the kinds that are looked at again and again; warnings open and clear by their own events."""

# What does not concern who only lives in the house.
FOR_OPERATORS = frozenset(
    {
        Kind.STUCK,
        Kind.SPOOL,
        Kind.CLOCK,
        Kind.REFUSED,
        Kind.QUARANTINE,
        Kind.NEGATIVE,
        Kind.RESIDUAL,
        Kind.FLASH,
        Kind.CLOCK_SET,
        Kind.MAPPING,
        Kind.DAMAGED,
    }
)


class Subject(NamedTuple):
    """What an alert is about. `key` tells apart what one source can have several of, such as warnings."""

    house_id: int
    source_id: int | None
    kind: Kind
    key: str = ""


class Finding(NamedTuple):
    """A fault: what it is about, and what speaks for it (JSON)."""

    subject: Subject
    evidence: dict[str, Any]
