"""What the server refuses, told when it begins and when it is over."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from collectors import drivers
from collectors.agent.rows import event_row
from collectors.agent.spool import Row
from collectors.agent.warnings import REPEATED_MS

log = logging.getLogger(__name__)

QUIET_S = 3_600.0
"""What has not been refused for so long is over: it is accepted now, or no longer sent."""
MOST_KNOWN = 1_000
AGENT = ""


class Refusal(NamedTuple):
    """What was refused (``*`` for all fields) and why; the text is the server's."""

    source: str
    field: str
    code: str
    message: str

    @property
    def text(self) -> str:
        """For operators."""
        what = self.source if self.field == "*" else f"{self.source}.{self.field}"
        return f"The server refuses {what} ({self.code}): {self.message}"


class Lasting(msgspec.Struct):
    """A refusal that is known, and when it was told last (Unix ms)."""

    refusal: Refusal
    told: int


class Refusals:
    """The refusals that last. Warnings of them are the agent's own: those of the source may be refused."""

    KEY = "refusals"

    def __init__(self, kept: bytes | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Go on from what ``kept`` said last; damage counts as nothing."""
        self._monotonic = monotonic
        try:
            known = msgspec.json.decode(kept or b"[]", type=list[Lasting])
        except msgspec.MsgspecError:
            known = []
        self._told = {one.refusal: one.told for one in known}
        self._last = dict.fromkeys(self._told, monotonic())

    def kept(self) -> bytes:
        """What to remember."""
        return msgspec.json.encode([Lasting(refusal, told) for refusal, told in self._told.items()])

    def news(self, refused: Iterable[Mapping[str, Any]], now: int) -> list[Row]:
        """The warnings that begin with this answer, and those that are over; ``now`` in Unix ms."""
        begun = [one for one in dict.fromkeys(map(_refusal, refused)) if self._is_news(one, now)]
        quiet = [one for one, last in self._last.items() if self._monotonic() - last > QUIET_S]
        for refusal in begun:
            log.warning("%s", refusal.text)
        for refusal in quiet:
            del self._last[refusal], self._told[refusal]
        events = [drivers.warning(now, one.text) for one in begun if one.source]
        events += [drivers.cleared(now, one.text) for one in quiet if one.source]
        return [event_row(AGENT, event) for event in events]

    def _is_news(self, refusal: Refusal, now: int) -> bool:
        told = self._told.get(refusal)
        if told is None and len(self._told) >= MOST_KNOWN:
            return False
        self._last[refusal] = self._monotonic()
        if told is not None and abs(now - told) < REPEATED_MS:
            return False
        self._told[refusal] = now
        return True


def _refusal(said: Mapping[str, Any]) -> Refusal:
    """A refusal of what names no source has an empty one: a warning of it would be refused as well."""
    message = str(said.get("message", ""))
    return Refusal(str(said.get("source") or ""), str(said.get("field", "*")), str(said.get("code")), message)
