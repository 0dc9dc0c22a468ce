"""What is wrong with one device, told to the server when it begins and when it is over.

A ``WARNING`` event with ``{"data": text}`` opens a warning; one with ``{"data": text, "cleared": true}`` and
the same text clears it. What is open is remembered over restarts, so that nothing is told twice and whatever
is opened can be cleared.
"""

import re
import time
from collections.abc import Callable, Iterable

import msgspec

from collectors import drivers
from collectors.drivers import Event

STEADY_S = 30.0
"""A device that fails now and then is failing: it has recovered once it was read this long without fault."""
MOST_OPEN = 200

DIGITS = re.compile(r"\d+")


def text_class(text: str) -> str:
    """Texts that differ only in their numbers tell of the same fault."""
    return DIGITS.sub("#", text)


def cleared(timestamp: int, text: str) -> Event:
    """The event that clears what a WARNING with this text opened; Unix ms."""
    return Event(timestamp, "WARNING", {"data": text, "cleared": True})


class Open(msgspec.Struct):
    """What is open: failed reads by class of text, what the driver told of, and what is so at the moment."""

    failures: dict[str, str] = {}
    told: list[str] = []
    standing: list[str] = []


class Warnings:
    """The warnings of one device. Every method returns the events to send."""

    def __init__(self, kept: bytes | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Go on from what ``kept`` said last; damage counts as nothing."""
        self._monotonic = monotonic
        self._failed_at = monotonic()
        try:
            self._open = msgspec.json.decode(kept or b"{}", type=Open)
        except msgspec.MsgspecError:
            self._open = Open()

    def kept(self) -> bytes:
        """What to remember."""
        return msgspec.json.encode(self._open)

    @property
    def failing(self) -> bool:
        """Whether reads failed and the device has not yet recovered."""
        return bool(self._open.failures)

    def failed(self, timestamp: int, text: str) -> list[Event]:
        """A read failed: one warning for each class of text until the device has recovered."""
        self._failed_at = self._monotonic()
        if text_class(text) in self._open.failures or len(self._open.failures) >= MOST_OPEN:
            return []
        self._open.failures[text_class(text)] = text
        return [drivers.warning(timestamp, text)]

    def succeeded(self, timestamp: int) -> list[Event]:
        """A read succeeded: what failed before is cleared once it has for a while."""
        if not self.failing or self._monotonic() - self._failed_at < STEADY_S:
            return []
        over, self._open.failures = self._open.failures, {}
        return [cleared(timestamp, text) for text in over.values()]

    def passed_on(self, events: Iterable[Event]) -> list[Event]:
        """The driver's own events, without warnings that are open already or were never opened."""
        return [event for event in events if event.type != "WARNING" or self._changes(event)]

    def only(self, timestamp: int, texts: Iterable[str]) -> list[Event]:
        """These warnings stand, and no others of their sort."""
        now, before = list(texts), self._open.standing
        self._open.standing = now
        over = [cleared(timestamp, text) for text in before if text not in now]
        return over + [drivers.warning(timestamp, text) for text in now if text not in before]

    def forgotten(self, timestamp: int, repeated: Iterable[Event]) -> list[Event]:
        """Clear what a driver without memory told before it began anew, but for what it ``repeated``."""
        still = {event.data.get("data") for event in repeated if event.type == "WARNING"}
        over = [text for text in self._open.told if text not in still]
        self._open.told = [text for text in self._open.told if text in still]
        return [cleared(timestamp, text) for text in over]

    def _changes(self, event: Event) -> bool:
        text, told = str(event.data.get("data")), self._open.told
        if event.data.get("cleared") is True:
            known = text in told
            self._open.told = [other for other in told if other != text]
            return known
        if text in told:
            return False
        self._open.told = [*told, text][-MOST_OPEN:]
        return True
