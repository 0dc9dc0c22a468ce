"""What a process remembers for a while, bounded in number and age."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Memory(Generic[Answer]):
    """Answers by what was asked. Safe to share between threads."""

    def __init__(self, *, size: int, age: timedelta) -> None:
        self._size, self._age = size, age
        self._answers: OrderedDict[Hashable, tuple[datetime, Answer]] = OrderedDict()
        self._lock = Lock()

    def recall(self, asked: Hashable, now: datetime) -> Answer | None:
        """The answer kept less than `age` before `now`, if any."""
        with self._lock:
            kept = self._answers.get(asked)
        # A clock set back must not make an answer live longer.
        if kept is None or not timedelta(0) <= now - kept[0] < self._age:
            return None
        return kept[1]

    def keep(self, asked: Hashable, answer: Answer, now: datetime) -> None:
        """Remember an answer; the oldest one makes room."""
        with self._lock:
            self._answers[asked] = (now, answer)
            self._answers.move_to_end(asked)
            while len(self._answers) > self._size:
                self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget every answer."""
        with self._lock:
            self._answers.clear()

    def __len__(self) -> int:
        return len(self._answers)
