"""What every part of an upload is checked against: names, stamps, and the sources of the house."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from apps.devices.edge.body import UNREADABLE
from apps.devices.edge.refusals import Code, Ledger, RefusedError

OLDEST = 946_684_800_000  # 2000-01-01 UTC; a stamp in seconds lies in 1970
AHEAD = 24 * 3600 * 1000
NAME_LENGTH = 200
RESERVED = frozenset({"_quality", "_length"})
NULL = Raw(b"null")
DEPTH = 32
INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Target:
    """A source of the house that an agent may name."""

    id: int
    enabled: bool
    sealed_before: int | None


@dataclass(frozen=True)
class Scene:
    """The house at the moment of an upload, and the ledger of what it refuses. `now` in Unix ms.

    `commands` is whether the agent should ask for commands.
    """

    enabled: bool
    targets: Mapping[str, Target]
    now: int
    ledger: Ledger
    commands: bool = False

    @property
    def newest(self) -> int:
        """The last stamp that is not in the future."""
        return self.now + AHEAD

    def target(self, name: str | None) -> Target:
        """The source called `name`. Raises RefusedError when it may not be written to."""
        target = self.targets.get(name) if name is not None else None
        if self.enabled and target is None:
            raise RefusedError(Code.UNKNOWN_SOURCE)
        if target is None or not (self.enabled and target.enabled):
            raise RefusedError(Code.DISABLED_SOURCE)
        return target


_ANYTHING = msgspec.json.Decoder(object)


def value_of(raw: Raw) -> Any:
    """The JSON value of a part, or a `bytes` object, which no JSON value is, when it has none."""
    try:
        return _ANYTHING.decode(raw)
    except UNREADABLE:
        return bytes(raw)


def text_of(raw: Raw) -> str | None:
    """The text of a part, None when it is something else."""
    value = value_of(raw)
    return value if isinstance(value, str) else None


def is_text(value: str) -> bool:
    """Whether PostgreSQL can hold `value`."""
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return "\0" not in value


def is_storable(value: object, depth: int = DEPTH) -> bool:
    """Whether PostgreSQL, and whoever reads it back, can hold the JSON `value`."""
    if depth == 0:
        return False
    match value:
        case bool() | None | float():
            return True
        case int():
            return value in INTEGERS
        case str():
            return is_text(value)
        case dict():
            return all(is_text(key) and is_storable(item, depth - 1) for key, item in value.items())
        case list():
            return all(is_storable(item, depth - 1) for item in value)
    return False


def is_field_name(name: str) -> bool:
    """Whether `name` may name a field."""
    return is_state_name(name) or name in RESERVED


def is_state_name(name: str) -> bool:
    """Whether `name` may name a state."""
    return 1 <= len(name) <= NAME_LENGTH and name.isprintable() and not name.startswith("_")
