"""What is wrong with one device, told to the server when it begins and when it is over.

A ``WARNING`` event with ``{"data": text}`` opens a warning; one with ``{"data": text, "cleared": true}`` and
the same text clears it. To the server texts of a device that differ only in numbers are one warning, so
it is cleared when none of them holds any more. A warning that lasts is repeated twice a day, as the server
takes one that it has not heard of for a day to be over. What is open is remembered over restarts.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from collectors import drivers
from collectors.drivers import Event

STEADY_S = 30.0
"""A device that fails now and then is failing: it has recovered once it was read this long without fault."""
REPEATED_MS = 12 * 3_600_000
MOST_OPEN = 200

DIGITS = re.compile(r"\d+")


def text_class(text: str) -> str:
    """Texts that differ only in their numbers tell of the same fault."""
    return DIGITS.sub("#", text)


class Told(msgspec.Struct):
    """A warning that is open: its text, and when it was told last (Unix ms)."""

    text: str
    at: int


class Open(msgspec.Struct):
    """What is open: failed reads by class of text, what the driver told, and what holds at the moment."""

    failures: dict[str, Told] = {}
    driver: dict[str, Told] = {}
    standing: dict[str, Told] = {}


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

    def failed(self, timestamp: int, text: str) -> list[Event]:
        """A read failed: one warning for each class of text until the device has recovered."""
        self._failed_at = self._monotonic()
        return _tell(self._open.failures, text_class(text), timestamp, text)

    def succeeded(self, timestamp: int) -> list[Event]:
        """A read succeeded: what failed before is cleared once it has for a while."""
        if not self._open.failures or self._monotonic() - self._failed_at < STEADY_S:
            return []
        return self._forget(self._open.failures, timestamp, lambda _: True)

    def passed_on(self, events: Iterable[Event], timestamp: int) -> list[Event]:
        """The driver's own events, without warnings that are open already or were never opened.

        Those that were told long ago are repeated.
        """
        passed = [event for event in events if event.type != "WARNING" or self._is_news(event)]
        known = self._open.driver
        return passed + [event for text in known for event in _tell(known, text, timestamp, text)]

    def only(self, timestamp: int, texts: Iterable[str]) -> list[Event]:
        """These warnings hold at the moment, and no others of their sort."""
        now = list(texts)
        begun = [event for text in now for event in _tell(self._open.standing, text, timestamp, text)]
        return begun + self._forget(self._open.standing, timestamp, lambda text: text not in now)

    def forgotten(self, timestamp: int, repeated: Iterable[Event]) -> list[Event]:
        """Clear what a driver without memory told before it began anew, but for what it ``repeated``."""
        still = {event.data.get("data") for event in repeated if event.type == "WARNING"}
        return self._forget(self._open.driver, timestamp, lambda text: text not in still)

    def _is_news(self, event: Event) -> bool:
        text = str(event.data.get("data"))
        if event.data.get("cleared") is True:
            return bool(self._forget(self._open.driver, event.timestamp, lambda other: other == text))
        return bool(_tell(self._open.driver, text, event.timestamp, text))

    def _forget(self, known: dict[str, Told], timestamp: int, is_over: Callable[[str], bool]) -> list[Event]:
        """Clear what is over, unless it is the same to the server as something that still holds."""
        over = {text_class(known[key].text): known.pop(key).text for key in list(known) if is_over(key)}
        still = {text_class(told.text) for told in self._all()}
        return [drivers.cleared(timestamp, text) for kind, text in over.items() if kind not in still]

    def _all(self) -> Iterator[Told]:
        for known in (self._open.failures, self._open.driver, self._open.standing):
            yield from known.values()


def _tell(known: dict[str, Told], key: str, timestamp: int, text: str) -> list[Event]:
    """The warning, unless it was told lately or too many are open; it keeps the text with which it began."""
    told = known.get(key)
    if told is None and len(known) >= MOST_OPEN:
        return []
    if told and abs(timestamp - told.at) < REPEATED_MS:
        return []
    known[key] = Told(told.text if told else text, timestamp)
    return [drivers.warning(timestamp, known[key].text)]
