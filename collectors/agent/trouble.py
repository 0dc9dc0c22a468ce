"""Telling of trouble once, and waiting longer the longer it lasts."""

import random


class Trouble:
    """Whether something is failing, so that only the change is told."""

    def __init__(self) -> None:
        self.since_last_success = False

    def begins(self) -> bool:
        """Note a failure; True for the first since the last success."""
        first, self.since_last_success = not self.since_last_success, True
        return first

    def ends(self) -> bool:
        """Note a success; True for the first since the last failure."""
        was, self.since_last_success = self.since_last_success, False
        return was


class Backoff:
    """Pauses that double from ``first`` to ``longest`` seconds, each shortened by chance.

    Chance spreads the houses: a server that comes back is not met by all of them at once.
    """

    def __init__(self, *, longest: float, first: float = 1.0) -> None:
        self._first, self._longest, self._failures = first, longest, 0

    def pause(self) -> float:
        """Seconds until the next attempt; longer each time it is asked."""
        pause = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreading load, not keys

    def reset(self) -> None:
        """Begin at the shortest pause again."""
        self._failures = 0
