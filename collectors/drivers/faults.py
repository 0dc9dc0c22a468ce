"""Telling of what is wrong with parts of a device once, not at every read."""

from collections.abc import Mapping

from collectors.drivers.contract import Event, cleared, warning


class Faults:
    """What was wrong at the last read, part by part."""

    def __init__(self) -> None:
        self._known: Mapping[str, str] = {}

    def news(self, faults: Mapping[str, str], timestamp: int) -> list[Event]:
        """WARNING events (at ``timestamp``, ms) for parts whose text changed: begun, and over."""
        known, self._known = self._known, dict(faults)
        begun = [warning(timestamp, text) for part, text in faults.items() if known.get(part) != text]
        over = [cleared(timestamp, text) for part, text in known.items() if faults.get(part) != text]
        return begun + over
