"""What became of a command, as agents tell it."""

from __future__ import annotations

from typing import Literal

import msgspec

from apps.devices.edge.body import decode
from apps.devices.models import CommandState


class Told(msgspec.Struct):
    """The agent's word."""

    state: Literal["verified", "failed"]
    message: str = ""


class Outcome(msgspec.Struct):
    """The same with the state that it is kept as, and a message that PostgreSQL can keep."""

    state: CommandState
    message: str


_TOLD = msgspec.json.Decoder(Told)


def read(body: bytes) -> Outcome:
    """The outcome in a request. Raises MalformedError."""
    told = decode(_TOLD, body)
    return Outcome(CommandState(told.state), told.message.replace("\0", ""))
