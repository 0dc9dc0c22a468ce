"""Fetch what the house's devices are told to do, hand it to them, and tell the server what became of it."""

import logging
import sqlite3
import threading

import msgspec

from collectors.agent.client import Client
from collectors.agent.orders import Give, Order, Orders, Outcome
from collectors.agent.trouble import Backoff, Trouble
from collectors.http import NetworkError

log = logging.getLogger(__name__)

GONE = (400, 404, 410)
"""Answers to an outcome that no repeat would change."""


class NotAnsweredError(Exception):
    """The server did not answer as asked; the text says how it did."""


class Commander(threading.Thread):
    """Asks every ``interval`` seconds; at once when an upload is told that commands wait, or one is done."""

    def __init__(self, client: Client, orders: Orders, give: Give, *, interval: float = 60.0) -> None:
        super().__init__(name="commander", daemon=True)
        self._client, self._orders, self._give, self._interval = client, orders, give, interval
        self._backoff, self._trouble = Backoff(longest=interval), Trouble()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End after the exchange that is under way."""
        self._stopping.set()
        self.ask()

    def ask(self) -> None:
        """Do not wait for the next time."""
        self._orders.news.set()

    def run(self) -> None:
        """Ask until stopped."""
        while not self._stopping.is_set():
            if self.attempt():
                self._orders.news.wait(self._interval)
            else:
                self._stopping.wait(self._backoff.pause())
            self._orders.news.clear()

    def attempt(self) -> bool:
        """Tell and ask once; whether that worked."""
        try:
            for outcome in self._orders.outcomes():
                self._tell(outcome)
            self._give([order for order in self._fetch() if not self._orders.knows(order.id)])
        except (NetworkError, NotAnsweredError, sqlite3.Error) as error:
            if self._trouble.begins():
                log.warning("Commands cannot be fetched: %s.", error)
            return False
        self._backoff.reset()
        if self._trouble.ends():
            log.info("Commands are fetched again.")
        return True

    def _fetch(self) -> list[Order]:
        answer = self._client.commands()
        if answer.status != 200:
            raise NotAnsweredError(f"the server answered HTTP {answer.status}")
        try:
            return msgspec.json.decode(answer.body, type=list[Order])
        except msgspec.MsgspecError as error:
            raise NotAnsweredError("the server's answer is no list of commands") from error

    def _tell(self, outcome: Outcome) -> None:
        answer = self._client.result(outcome.id, {"state": outcome.state, "message": outcome.message})
        if answer.status in GONE:
            log.warning("The server knows nothing of command %d any more.", outcome.id)
        elif answer.status != 200:
            raise NotAnsweredError(f"the outcome of a command was answered with HTTP {answer.status}")
        self._orders.told(outcome)
