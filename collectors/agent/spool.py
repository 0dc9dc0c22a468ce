"""The spool: every reading and event lies here, on disk, from before it is sent until it is stored."""

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from collectors.agent.files import create_private
from collectors.agent.trouble import Trouble

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, timestamp INTEGER NOT NULL,
    what TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL, body BLOB NOT NULL);
"""
SPOOL_BOUND = 1_000_000
DEAD_BYTES = 16_000_000
KEEP_NEWEST_DEAD = """
DELETE FROM dead WHERE id IN (
    SELECT id FROM (SELECT id, sum(length(body)) OVER (ORDER BY id DESC) AS newer FROM dead) WHERE newer > ?)
"""


class Row(NamedTuple):
    """Something to deliver: ``what`` is ``reading`` or ``event``, ``body`` its JSON; Unix ms."""

    source: str
    timestamp: int
    what: str
    body: bytes


class Entry(NamedTuple):
    """A row in the spool; ids grow in order of arrival."""

    id: int
    row: Row


class Spool:
    """A bounded queue on disk, safe for many threads and for pulling the plug at any moment.

    Beyond ``bound`` rows the oldest give way: ``lost`` counts them since the start.
    """

    def __init__(self, path: Path, *, bound: int = SPOOL_BOUND) -> None:
        create_private(path)
        self.bound = bound
        self.lost = 0
        self._full = Trouble()
        self.arrived = threading.Event()
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")  # in WAL mode, NORMAL may lose the last commits
        self._db.executescript(SCHEMA)
        self._rows: int = self._db.execute("SELECT count(*) FROM entry").fetchone()[0]

    def __len__(self) -> int:
        return self._rows

    def add(self, rows: Sequence[Row]) -> None:
        """Keep the rows; on disk when this returns. Raises sqlite3.Error, as when the disk is full."""
        with self._transaction() as db:
            db.executemany("INSERT INTO entry (source, timestamp, what, body) VALUES (?, ?, ?, ?)", rows)
            surplus = max(0, self._rows + len(rows) - self.bound)
            db.execute("DELETE FROM entry WHERE id IN (SELECT id FROM entry ORDER BY id LIMIT ?)", [surplus])
        self._rows += len(rows) - surplus
        self._tell_loss(surplus)
        self.arrived.set()

    def oldest(self, *, rows: int, size: int) -> list[Entry]:
        """The longest waiting, at most ``rows`` of them and about ``size`` bytes, but at least one."""
        query = "SELECT id, source, timestamp, what, body FROM entry ORDER BY id LIMIT ?"
        entries: list[Entry] = []
        with self._lock, closing(self._db.execute(query, [rows])) as found:
            for number, *row in found:
                size -= len(row[3])
                if entries and size < 0:
                    break
                entries.append(Entry(number, Row(*row)))
        return entries

    def settle(self, entries: Sequence[Entry], dead: Iterable[tuple[str, bytes]] = ()) -> None:
        """Forget the entries; what of them was refused for good stays as dead letters (reason, JSON)."""
        with self._transaction() as db:
            db.executemany("INSERT INTO dead (reason, body) VALUES (?, ?)", dead)
            db.execute(KEEP_NEWEST_DEAD, [DEAD_BYTES])
            gone = db.executemany("DELETE FROM entry WHERE id = ?", [[entry.id] for entry in entries])
            forgotten = max(0, gone.rowcount)
        self._rows -= forgotten

    def dead(self) -> list[tuple[str, bytes]]:
        """The dead letters, oldest first: reason and JSON."""
        with self._lock:
            return self._db.execute("SELECT reason, body FROM dead ORDER BY id").fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _tell_loss(self, surplus: int) -> None:
        self.lost += surplus
        if surplus == 0:
            self._full.ends()
        elif self._full.begins():
            log.warning("The spool is full at %d rows; from now on the oldest are lost.", self.bound)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._db:  # the connection commits, or rolls back on any exception
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
