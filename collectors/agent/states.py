"""Texts and truth values: worth telling when they change, unless they never stop changing."""

from collections import Counter
from collections.abc import Mapping

from collectors.drivers.values import State

MOST_A_DAY = 1_000
DAY_MS = 86_400_000


class States:
    """The last state of each field of a source.

    A field that changes more than 1,000 times in a UTC day is no state but a stamp or a counter in disguise:
    the rest of its day is dropped, and ``restless`` says so.
    """

    def __init__(self) -> None:
        self._last: dict[str, State] = {}
        self._day = 0
        self._changes: Counter[str] = Counter()

    def changes(self, timestamp: int, states: Mapping[str, State]) -> dict[str, State]:
        """Those of the states at ``timestamp`` (ms) that changed and may be told."""
        if (day := timestamp // DAY_MS) != self._day:
            self._day = day
            self._changes.clear()
        changed = {name: state for name, state in states.items() if self._differs(name, state)}
        self._changes.update(changed.keys())
        told = {name: state for name, state in changed.items() if self._changes[name] <= MOST_A_DAY}
        self._last |= told
        return told

    def restless(self) -> list[str]:
        """What to warn of: the fields that are not told of for the rest of the day."""
        return [
            f"{name} changed more than {MOST_A_DAY:,} times today; the rest of the day is dropped."
            for name, changes in self._changes.items()
            if changes > MOST_A_DAY
        ]

    def _differs(self, name: str, state: State) -> bool:
        last = self._last.get(name)
        return last != state or type(last) is not type(state)
