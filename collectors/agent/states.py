"""Texts and truth values: worth telling when they change, unless they never stop changing."""

from collections.abc import Iterator, Mapping

from collectors.drivers import Event, warning
from collectors.drivers.values import State

MOST_A_DAY = 1_000
DAY_MS = 86_400_000


class States:
    """The last state of each field of a source.

    A field that changes more than 1,000 times in a UTC day is no state but a stamp or a counter in disguise:
    the rest of its day is dropped, and a WARNING says so once.
    """

    def __init__(self) -> None:
        self._last: dict[str, State] = {}
        self._day = 0
        self._changes: dict[str, int] = {}

    def changes(self, timestamp: int, states: Mapping[str, State]) -> tuple[dict[str, State], list[Event]]:
        """Those of the states at ``timestamp`` (ms) that changed and may be told, and warnings of others."""
        if (day := timestamp // DAY_MS) != self._day:
            self._day, self._changes = day, {}
        changed = {name: state for name, state in states.items() if self._differs(name, state)}
        for name in changed:
            self._changes[name] = self._changes.get(name, 0) + 1
        told = {name: state for name, state in changed.items() if self._changes[name] <= MOST_A_DAY}
        self._last |= told
        return told, list(self._warnings(timestamp, changed))

    def _differs(self, name: str, state: State) -> bool:
        last = self._last.get(name)
        return last != state or type(last) is not type(state)

    def _warnings(self, timestamp: int, changed: Mapping[str, State]) -> Iterator[Event]:
        for name in changed:
            if self._changes[name] == MOST_A_DAY + 1:
                text = f"{name} changed more than {MOST_A_DAY:,} times today; the rest of the day is dropped."
                yield warning(timestamp, text)
