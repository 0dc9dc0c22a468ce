"""What devices of the house are told to do: each command is begun once, and its outcome kept until told."""

import threading
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from collectors.agent.spool import Spool

INTERRUPTED = "The agent was stopped while it was at it. Look at the device: it may have been done, or not."
MOST_OUTCOMES = 1_000


class Order(msgspec.Struct, frozen=True):
    """A command of the server; ``expires_at`` in Unix ms UTC."""

    id: int
    device: str
    data: dict[str, Any]
    expires_at: int


class Outcome(msgspec.Struct, frozen=True):
    """What became of a command; the message is for operators."""

    id: int
    state: Literal["verified", "failed"]
    message: str = ""


class Book(msgspec.Struct):
    """Commands that were begun and have no outcome yet, and outcomes that the server does not know yet."""

    begun: list[int] = []
    outcomes: list[Outcome] = []


class Orders:
    """The agent's book of commands, on disk with the spool. Safe to share between threads.

    A command that may have been begun before a restart is not begun again: what it moves may have moved.
    """

    KEY = "orders"

    def __init__(self, spool: Spool) -> None:
        """Go on from what is on disk; damage counts as nothing."""
        self._spool, self._lock = spool, threading.Lock()
        self.news = threading.Event()
        try:
            self._book = msgspec.json.decode(spool.recall(self.KEY) or b"{}", type=Book)
        except msgspec.MsgspecError:
            self._book = Book()
        for number in list(self._book.begun):
            self.finish(Outcome(number, "failed", INTERRUPTED))

    def knows(self, number: int) -> bool:
        """Whether it was begun, or has an outcome that the server does not know."""
        with self._lock:
            return number in self._book.begun or any(one.id == number for one in self._book.outcomes)

    def begin(self, number: int) -> None:
        """Write down that it is begun. Raises sqlite3.Error: then it must not be."""
        with self._lock:
            self._keep(Book([*self._book.begun, number], self._book.outcomes))

    def finish(self, outcome: Outcome) -> None:
        """Write down what became of it. Raises sqlite3.Error."""
        with self._lock:
            outcomes = [*self._book.outcomes, outcome][-MOST_OUTCOMES:]
            self._keep(Book([one for one in self._book.begun if one != outcome.id], outcomes))
        self.news.set()

    def outcomes(self) -> list[Outcome]:
        """What the server does not know yet, oldest first."""
        with self._lock:
            return list(self._book.outcomes)

    def told(self, outcome: Outcome) -> None:
        """The server knows."""
        with self._lock:
            self._keep(Book(self._book.begun, [one for one in self._book.outcomes if one != outcome]))

    def _keep(self, book: Book) -> None:
        self._spool.add([], {self.KEY: msgspec.json.encode(book)})
        self._book = book


Give = Callable[[list[Order]], None]
"""Has devices carry out those orders that they are not at already."""
