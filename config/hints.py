"""Sending hints: tasks that only say that there is work. A sweep finds all work without them."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from django.db import transaction

from config.celery import app

logger = logging.getLogger(__name__)

_WAITING = 1_000


def send_soon(task: str, *args: int) -> None:
    """Enqueue a task after commit, without waiting for the broker; that it is away is logged."""
    transaction.on_commit(lambda: _sender.send(task, args))


class _Sender:
    """Sends from a thread of its own: with the broker away a single attempt takes seconds.

    Hints wait in memory, the same one once; those beyond a bound, and those lost with the process, are left
    to the sweep.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "hints")
        self._waiting: set[tuple[str, tuple[int, ...]]] = set()
        self._lock = Lock()

    def send(self, task: str, args: tuple[int, ...]) -> None:
        with self._lock:
            if (task, args) in self._waiting or len(self._waiting) >= _WAITING:
                return
            self._waiting.add((task, args))
        self._thread.submit(self._send, task, args)

    def _send(self, task: str, args: tuple[int, ...]) -> None:
        with self._lock:
            self._waiting.discard((task, args))
        try:
            app.send_task(task, args=args, retry=False, expires=600)
        except Exception as error:
            logger.warning("Could not enqueue %s%s: %s", task, args, error)


_sender = _Sender()
