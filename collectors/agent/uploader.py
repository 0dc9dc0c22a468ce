"""Deliver the spool: oldest first, promptly, and never forgetting a row before the server has stored it."""

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from collectors import __version__, drivers
from collectors.agent.client import Client
from collectors.agent.refusals import AGENT, Refusals
from collectors.agent.rows import EventBody, event_part, event_row, is_whole, refused_parts, upload
from collectors.agent.spool import Entry, Loss, Spool
from collectors.agent.timekeeping import Timekeeper
from collectors.agent.trouble import Backoff, Trouble
from collectors.http import Answer, NetworkError

log = logging.getLogger(__name__)

MOST_ROWS = 2_000
MOST_BYTES = 4_000_000  # of rows; columns are shorter, and the server takes 8 MB
LINGER_S = 0.2  # devices polled at the same moment share an upload
LONGEST_RETRY_AFTER_S = 3_600.0


class Stored(msgspec.Struct):
    """The server's answer to an upload that it took."""

    stored: int
    refused: list[dict[str, Any]] = []
    commands: bool = False


class NotStoredError(Exception):
    """The server did not store the upload; ``pause`` is for how many seconds it asked to be left alone."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class Uploader(threading.Thread):
    """The thread that empties a spool, and sends a heartbeat when there is nothing to send."""

    def __init__(
        self,
        spool: Spool,
        client: Client,
        timekeeper: Timekeeper,
        *,
        config_version: Callable[[], int | str | None],
        commands_wait: Callable[[], None],
        heartbeat: float = 60.0,
        longest_pause: float = 60.0,
    ) -> None:
        super().__init__(name="uploader", daemon=True)
        self._spool, self._client, self._config_version = spool, client, config_version
        self._timekeeper, self._heartbeat, self._commands_wait = timekeeper, heartbeat, commands_wait
        self._rows = MOST_ROWS
        self._backoff, self._trouble = Backoff(longest=longest_pause), Trouble()
        self._refusals = Refusals(spool.recall(Refusals.KEY))
        self._last_success = -math.inf
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End after the exchange that is under way."""
        self._stopping.set()
        self._spool.arrived.set()

    def run(self) -> None:
        """Upload until stopped."""
        while not self._stopping.is_set():
            if self._spool.arrived.wait(self._until_heartbeat()):
                self._stopping.wait(LINGER_S)
                self._spool.arrived.clear()
            if not self._stopping.is_set():
                self._empty()

    def _empty(self) -> None:
        """Deliver what is waiting; when it is nothing, a heartbeat if one is due."""
        while self._timekeeper.booted is not None and not self._stopping.is_set() and self._deliver_next():
            pass
        if self._until_heartbeat() == 0 and not self._stopping.is_set():
            self._attempt([], None)

    def _deliver_next(self) -> bool:
        """Try to deliver the oldest; False when nothing can be delivered now."""
        try:
            entries, loss = self._spool.oldest(rows=self._rows, size=MOST_BYTES), self._loss()
        except sqlite3.Error as error:
            self._hold(error)
            return False
        if entries or loss:
            self._attempt(entries, loss)
        return bool(entries or loss)

    def _loss(self) -> Loss | None:
        """What was lost, told only while the server answers: so a long outage is told as one."""
        healthy = self._last_success > -math.inf and not self._trouble.since_last_success
        return self._spool.loss(self._timekeeper.now()) if healthy else None

    def _until_heartbeat(self) -> float:
        return max(0.0, self._last_success + self._heartbeat - time.monotonic())

    def _attempt(self, entries: Sequence[Entry], loss: Loss | None) -> None:
        """Send the entries once. They leave the spool when the server stored them or never will."""
        try:
            with self._spool.in_flight():
                self._deliver(entries, loss)
        except (NetworkError, NotStoredError, sqlite3.Error) as error:
            self._hold(error)
        else:
            self._last_success = time.monotonic()
            self._backoff.reset()
            if self._trouble.ends():
                log.info("Readings are delivered again.")

    def _deliver(self, entries: Sequence[Entry], loss: Loss | None) -> None:
        whole = [entry for entry in entries if is_whole(entry.row)]
        if len(whole) < len(entries):
            spoilt = [entry for entry in entries if not is_whole(entry.row)]
            self._spool.settle(spoilt, [("spoilt", entry.row.body) for entry in spoilt])
        sent = upload(whole) | {"agent": self._about()}
        sent["events"] += _lost(loss) if loss else []
        self._judge(self._client.upload(msgspec.json.encode(sent)), whole, sent, loss)

    def _about(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "sent_at": self._timekeeper.wall(),
            "spool": len(self._spool),
            "spool_bound": self._spool.bound,
            "config_version": self._config_version(),
        }

    def _judge(
        self, answer: Answer, entries: Sequence[Entry], sent: dict[str, Any], loss: Loss | None
    ) -> None:
        if answer.status == 200:
            stored = read_stored(answer)
            self._settle(stored, entries, sent, loss)
            self._learn(answer)
            if stored.commands:
                self._commands_wait()
        elif answer.status == 413 and len(entries) > 1:
            self._rows = max(1, len(entries) // 2)
        elif answer.status in (400, 413) and entries:
            self._bury(answer.status, entries, sent)
        else:
            raise NotStoredError(
                f"it answered HTTP {answer.status}", retry_after(answer, self._timekeeper.wall() / 1000)
            )

    def _settle(
        self, stored: Stored, entries: Sequence[Entry], sent: dict[str, Any], loss: Loss | None
    ) -> None:
        self._spool.settle(entries, refused_parts(sent, stored.refused), loss)
        self._rows = min(MOST_ROWS, self._rows * 2)
        if news := self._refusals.news(stored.refused, self._timekeeper.now()):
            self._spool.add(news, {Refusals.KEY: self._refusals.kept()})

    def _learn(self, answer: Answer) -> None:
        """Take the time from the server's answer, and put the stamps right that were waiting for it."""
        if self._timekeeper.booted is None:
            self._spool.arrived.set()  # what is waiting can be sent from now on
        self._timekeeper.learn(answer.headers.get("Date"))
        if (booted := self._timekeeper.booted) is None:
            raise NotStoredError("neither its answer nor this machine's clock says what time it is")
        if damage := self._spool.tell_damage():
            self.warn(damage)
        if timeless := self._spool.right(booted):
            self.warn(
                f"{timeless} readings were taken before a restart while the clock was not set: nobody knows "
                "when. They are kept aside as dead letters."
            )

    def warn(self, text: str) -> None:
        """Tell of something that concerns the agent itself."""
        log.warning("%s", text)
        self._spool.add([event_row(AGENT, drivers.warning(self._timekeeper.now(), text))])

    def _bury(self, status: int, entries: Sequence[Entry], sent: dict[str, Any]) -> None:
        self._spool.settle(entries, [(f"HTTP {status}", msgspec.json.encode(sent))])
        self.warn(
            f"The server cannot take an upload of {len(entries)} rows (HTTP {status}); "
            "it is kept aside as a dead letter."
        )

    def _hold(self, error: Exception) -> None:
        if self._trouble.begins():
            log.warning("Readings cannot be delivered: %s. They are kept.", error)
        asked = error.pause if isinstance(error, NotStoredError) else 0.0
        self._stopping.wait(max(asked, self._backoff.pause()))


def _lost(loss: Loss) -> list[dict[str, Any]]:
    """The event of rows that gave way, and a warning of it; the same until they have arrived: stored once."""
    data = {"count": loss.rows, "from": loss.first, "to": loss.last}
    span = f", read from {_text(loss.first)} to {_text(loss.last)}" if loss.first and loss.last else ""
    warning = {"data": f"The spool was full: its oldest {loss.rows} rows{span}, are lost."}
    bodies = (EventBody("SPOOL_LOST", data), EventBody("WARNING", warning))
    return [event_part(AGENT, loss.told, body) for body in bodies]


def _text(stamp: int) -> str:
    return f"{datetime.fromtimestamp(stamp / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def read_stored(answer: Answer) -> Stored:
    """The answer to a stored upload. Raises NotStoredError for a 200 that a captive portal may have given."""
    try:
        return msgspec.json.decode(answer.body, type=Stored)
    except msgspec.MsgspecError as error:
        raise NotStoredError("its answer is not that of a Wattdesk server") from error


def retry_after(answer: Answer, now: float) -> float:
    """Seconds that the answer asks to wait, from its number or date; 0 without, an hour at most."""
    text = answer.headers.get("Retry-After", "").strip()
    try:
        seconds = float(text) if text.isascii() and text.isdigit() else _until(text, now)
    except (TypeError, ValueError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _until(date: str, now: float) -> float:
    moment = parsedate_to_datetime(date)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
