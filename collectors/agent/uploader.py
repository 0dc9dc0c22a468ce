"""Deliver the spool: oldest first, promptly, and never forgetting a row before the server has stored it."""

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from collectors import __version__
from collectors.agent.client import Client
from collectors.agent.rows import refused_part, upload
from collectors.agent.spool import Entry, Spool
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
        *,
        config_version: Callable[[], int | str | None],
        heartbeat: float = 60.0,
        longest_pause: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name="uploader", daemon=True)
        self._spool, self._client, self._config_version = spool, client, config_version
        self._heartbeat, self._clock = heartbeat, clock
        self._rows = MOST_ROWS
        self._backoff, self._trouble = Backoff(longest=longest_pause), Trouble()
        self._refusals: set[tuple[str, str, str]] = set()
        self._last_success = -math.inf
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End after the exchange that is under way."""
        self._stopping.set()
        self._spool.arrived.set()

    def run(self) -> None:
        """Upload until stopped."""
        while not self._stopping.is_set():
            if not len(self._spool) and not self._spool.arrived.wait(self._until_heartbeat()):
                self._deliver([])
                continue
            self._stopping.wait(LINGER_S)
            self._spool.arrived.clear()
            while not self._stopping.is_set() and (
                entries := self._spool.oldest(rows=self._rows, size=MOST_BYTES)
            ):
                self._deliver(entries)

    def _until_heartbeat(self) -> float:
        return max(0.0, self._last_success + self._heartbeat - time.monotonic())

    def _deliver(self, entries: Sequence[Entry]) -> None:
        """Send the entries once. They leave the spool when the server stored them or never will."""
        sent = upload(entries) | {"agent": self._about()}
        body = msgspec.json.encode(sent)
        try:
            answer = self._client.upload(body)
            self._judge(answer, entries, sent)
        except (NetworkError, NotStoredError, sqlite3.Error) as error:
            self._hold(error)
        else:
            self._last_success = time.monotonic()
            self._backoff.reset()
            if self._trouble.ends():
                log.info("Readings are delivered again.")

    def _about(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "sent_at": round(self._clock() * 1000),
            "spool": len(self._spool),
            "spool_bound": self._spool.bound,
            "config_version": self._config_version(),
        }

    def _judge(self, answer: Answer, entries: Sequence[Entry], sent: dict[str, Any]) -> None:
        if answer.status == 200:
            self._settle(read_stored(answer), entries, sent)
        elif answer.status == 413 and len(entries) > 1:
            self._rows = max(1, len(entries) // 2)
        elif answer.status in (400, 413) and entries:
            self._bury(answer.status, entries, sent)
        else:
            raise NotStoredError(f"it answered HTTP {answer.status}", retry_after(answer, self._clock()))

    def _settle(self, stored: Stored, entries: Sequence[Entry], sent: dict[str, Any]) -> None:
        letters = [(str(refusal.get("code")), refused_part(sent, refusal)) for refusal in stored.refused]
        self._spool.settle(entries, letters)
        self._rows = min(MOST_ROWS, self._rows * 2)
        self._tell_refusals(stored.refused, {batch["source"] for batch in sent["batches"]})

    def _tell_refusals(self, refused: Sequence[dict[str, Any]], sources: set[str]) -> None:
        """Log what was not refused the last time that the same sources were sent."""
        known, self._refusals = self._refusals, {old for old in self._refusals if old[0] not in sources}
        for refusal in refused:
            what = (str(refusal.get("source")), str(refusal.get("field", "all")), str(refusal.get("code")))
            if what not in known | self._refusals:
                log.warning(
                    "Refused by the server: %s, field %s: %s (%s).", *what, refusal.get("message", "")
                )
            self._refusals.add(what)

    def _bury(self, status: int, entries: Sequence[Entry], sent: dict[str, Any]) -> None:
        self._spool.settle(entries, [(f"HTTP {status}", msgspec.json.encode(sent))])
        log.warning(
            "The server cannot take an upload of %d rows (HTTP %d); it is kept aside as a dead letter.",
            len(entries),
            status,
        )

    def _hold(self, error: Exception) -> None:
        if self._trouble.begins():
            log.warning("Readings cannot be delivered: %s. They are kept.", error)
        asked = error.pause if isinstance(error, NotStoredError) else 0.0
        self._stopping.wait(max(asked, self._backoff.pause()))


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
