"""Poll one device on its own interval, in its own thread, whatever the other devices do."""

import logging
import random
import sqlite3
import threading
import time
from queue import Empty, SimpleQueue

from collectors.agent.device import Reader
from collectors.agent.orders import Order, Orders, Outcome
from collectors.agent.spool import Spool
from collectors.agent.trouble import Trouble

log = logging.getLogger(__name__)

TOO_LATE = "It reached the agent after it had expired."
MOST_JITTER_S = 1.0
LEAST_PAUSE = 0.01  # of an interval


class Poller(threading.Thread):
    """Reads one device now and then at multiples of its interval, a little shifted by chance.

    Aligned polls let readings of several devices be compared; the shift keeps them from coming all at
    once. A read that takes longer than the interval costs the polls in between and nobody else anything.
    Commands are carried out in between, one after another.
    """

    def __init__(
        self, reader: Reader, spool: Spool, orders: Orders, *, after: threading.Thread | None = None
    ) -> None:
        """Prepare to poll once ``after``, which polled the same device, has ended."""
        super().__init__(name=f"poll {reader.device.name}", daemon=True)
        self.device = reader.device
        self._reader, self._spool, self._orders, self._after = reader, spool, orders, after
        self._waiting: SimpleQueue[Order | None] = SimpleQueue()
        self._shift = random.uniform(0, min(MOST_JITTER_S, self.device.interval_s / 10))  # noqa: S311
        self._kept: dict[str, bytes] = {}
        self._trouble = Trouble()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End without another reading; one that is under way is dropped."""
        self._stopping.set()
        self._waiting.put(None)

    def tell(self, order: Order) -> None:
        """Have the device carry out an order before its next read; one that is stopped by then leaves it."""
        self._waiting.put(order)

    def run(self) -> None:
        """Poll until stopped, first at once."""
        if self._after:  # a device is asked one thing at a time, and whoever comes next waits for us
            self._after.join()
        pause = self._shift
        while not self._stopping.is_set():
            self._next(pause)
            pause = until_next_poll(time.time(), self.device.interval_s, self._shift)

    def _next(self, pause: float) -> None:
        """Carry out an order that comes within ``pause`` seconds, or poll then."""
        try:
            order = self._waiting.get(timeout=pause)
        except Empty:
            self.poll()
        else:
            if order and not self._stopping.is_set():
                self.obey(order)

    def poll(self) -> None:
        """Read the device once and spool what it says, or that it began to fail."""
        try:
            self._poll()
        except sqlite3.Error as error:
            if self._trouble.begins():
                log.warning("%s: readings cannot be kept on disk: %s.", self.device.name, error)
        else:
            self._trouble.ends()

    def obey(self, order: Order) -> None:
        """Carry an order out, if that can be begun on disk, and write down what became of it."""
        try:
            outcome = self._outcome(order)
            self._orders.finish(outcome)
        except sqlite3.Error as error:
            log.warning("%s: command %d cannot be kept on disk: %s.", self.device.name, order.id, error)
        else:
            log.info("%s: command %d: %s", self.device.name, order.id, outcome.message or "done")

    def _outcome(self, order: Order) -> Outcome:
        if self._reader.is_past(order.expires_at):
            return Outcome(order.id, "failed", TOO_LATE)
        self._orders.begin(order.id)
        fault = self._reader.act(order.data, lambda memory: self._spool.add([], memory))
        return Outcome(order.id, "failed" if fault else "verified", fault or "")

    def _poll(self) -> None:
        rows, memory = self._reader.read()
        changed = {key: body for key, body in memory.items() if self._kept.get(key) != body}
        if (rows or changed) and not self._stopping.is_set():
            self._spool.add(rows, changed)
            self._kept |= changed


def until_next_poll(now: float, interval: float, shift: float) -> float:
    """Seconds from Unix time ``now`` to the next multiple of the interval, ``shift`` seconds past it.

    A poll that came a moment too early, as clocks are adjusted, is not repeated at once.
    """
    pause = interval - (now - shift) % interval
    return pause if pause > interval * LEAST_PAUSE else pause + interval
