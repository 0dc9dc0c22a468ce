"""The spool: every reading and event lies here, on disk, from before it is sent until it is stored.

What drivers and the agent must not forget lies beside them, written in the same transaction.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec

from collectors.agent.database import DamagedError, is_damage, open_database, put_aside, salvage
from collectors.agent.timekeeping import OLDEST_MS, STEPPED_MS, boot_id
from collectors.agent.trouble import Trouble

log = logging.getLogger(__name__)

SPOOL_BOUND = 1_000_000
DEAD_BYTES = 16_000_000
MOST_UNWRITTEN = 10_000
ROOM_AGAIN = 0.9  # of the bound

INSERT = "INSERT INTO entry (source, timestamp, what, body) VALUES (?, ?, ?, ?)"
OLDEST = """
SELECT id, source, timestamp, what, body FROM entry
WHERE NOT EXISTS (SELECT 1 FROM provisional WHERE provisional.id = entry.id) ORDER BY id LIMIT ?
"""
FORGET = "DELETE FROM entry WHERE id = ? AND source = ? AND timestamp = ?"  # ids may begin anew after damage
SURPLUS = """
SELECT count(*), min(timestamp) FILTER (WHERE timestamp >= :set),
    max(timestamp) FILTER (WHERE timestamp >= :set)
FROM (SELECT timestamp FROM entry ORDER BY id LIMIT :surplus)
"""
ADD_LOSS = """
UPDATE loss SET count = count + :count, first = min(coalesce(first, :first), coalesce(:first, first)),
    last = max(coalesce(last, :last), coalesce(:last, last)) WHERE told IS NULL
"""
KEEP_NEWEST_DEAD = """
DELETE FROM dead WHERE id IN (
    SELECT id FROM (SELECT id, sum(length(body)) OVER (ORDER BY id DESC) AS newer FROM dead) WHERE newer > ?)
"""
RIGHT_STAMPS = """
UPDATE entry SET timestamp = timestamp + :booted - provisional.basis FROM provisional
WHERE provisional.id = entry.id AND boot = :boot AND abs(:booted - provisional.basis) > :stepped
"""
TIMELESS = """
SELECT entry.id, source, timestamp, what, body FROM entry JOIN provisional USING (id)
WHERE boot <> ? AND timestamp < ?
"""

NOTHING: Mapping[str, bytes] = MappingProxyType({})
Result = TypeVar("Result")


class Row(NamedTuple):
    """Something to deliver: ``what`` is ``reading`` or ``event``, ``body`` its JSON; Unix ms.

    An empty ``source`` is the agent itself. With a ``basis`` the timestamp is provisional.
    """

    source: str
    timestamp: int
    what: str
    body: bytes
    basis: int | None = None


class Entry(NamedTuple):
    """A row in the spool; ids grow in order of arrival."""

    id: int
    row: Row


class Loss(NamedTuple):
    """Rows that gave way, and the stamps of the first and last of them where known (Unix ms).

    ``told`` is when it was first reported: it stays the same until the report has arrived.
    """

    id: int
    rows: int
    first: int | None
    last: int | None
    told: int


class Spool:
    """A bounded queue on disk, safe for many threads and for pulling the plug at any moment.

    Beyond ``bound`` rows the oldest give way, and a loss counts them. A damaged file is put aside, and what
    can still be read of it goes on. While the disk takes nothing the newest rows
    wait in memory.
    """

    def __init__(self, path: Path, *, bound: int = SPOOL_BOUND, boot: str | None = None) -> None:
        """Open or create the file. Raises sqlite3.Error when it cannot be used."""
        self.bound = bound
        self._damage: str | None = None
        self.arrived = threading.Event()
        self._path, self._boot = path, boot or boot_id()
        self._full, self._disk = Trouble(), Trouble()
        self._flying = False
        self._unwritten: list[Row] = []
        self._unremembered: dict[str, bytes] = {}
        self._dropped = 0
        self._lock = threading.RLock()
        try:
            self._db = open_database(path)
        except DamagedError as error:
            self._begin_anew(str(error))
        self._rows = self._count()

    def __len__(self) -> int:
        return self._rows + len(self._unwritten)

    def add(self, rows: Sequence[Row], remember: Mapping[str, bytes] = NOTHING) -> None:
        """Keep the rows and what is to be remembered with them: both or neither, on disk when this returns.

        While the disk is full or fails, both wait in memory for the next call.
        """
        with self._lock:
            waiting, memory = [*self._unwritten, *rows], {**self._unremembered, **remember}
            try:
                self._mending(lambda: self._write(waiting, memory))
            except sqlite3.OperationalError as error:
                self._keep_in_memory(waiting, memory, error)
            else:
                self._unwritten, self._unremembered, self._dropped = [], {}, 0
                if self._disk.ends():
                    log.info("Readings are kept on disk again.")
        self.arrived.set()

    def oldest(self, *, rows: int, size: int) -> list[Entry]:
        """The longest waiting, at most ``rows`` of them and about ``size`` bytes, but at least one.

        Rows with provisional stamps are not among them.
        """
        with self._lock:
            return self._mending(lambda: self._oldest(rows, size))

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Let no row give way meanwhile: one being delivered would be counted as lost and arrive.

        For the length of an exchange there may be more rows than the bound.
        """
        self._flying = True
        try:
            yield
        finally:
            with self._lock:
                self._flying = False
                if self._rows > self.bound:
                    self.add([])

    def settle(
        self, entries: Sequence[Entry], dead: Iterable[tuple[str, bytes]] = (), loss: Loss | None = None
    ) -> None:
        """Forget the entries, and the loss that was reported with them.

        What of them was refused for good stays as dead letters (reason, JSON).
        """
        letters = list(dead)
        with self._lock:
            self._rows -= self._mending(lambda: self._settle(entries, letters, loss))

    def loss(self, now: int) -> Loss | None:
        """The loss to report next; ``now`` (Unix ms) becomes its stamp when it is reported the first time."""
        query = "SELECT id, count, first, last, told FROM loss WHERE told IS NOT NULL ORDER BY id LIMIT 1"
        with self._lock:
            if (found := self._db.execute(query).fetchone()) is None:
                with self._transaction() as db:
                    db.execute("UPDATE loss SET told = ?", [now])
                found = self._db.execute(query).fetchone()
        return Loss(*found) if found else None

    def right(self, booted: int) -> int:
        """Put provisional stamps right, now that it is known when (Unix ms) this machine started.

        Those from before a restart stay as they are, unless their clock was never set: those become dead
        letters, and are what is returned, as a number.
        """
        with self._lock:
            if self._db.execute("SELECT 1 FROM provisional LIMIT 1").fetchone() is None:
                return 0
            timeless = self._mending(lambda: self._right(booted))
            self._rows -= timeless
        self.arrived.set()
        return timeless

    def recall(self, key: str) -> bytes | None:
        """What was last kept under this key with ``add``."""
        with self._lock:
            if key in self._unremembered:
                return self._unremembered[key]
            found = self._db.execute("SELECT body FROM memory WHERE key = ?", [key]).fetchone()
        return found[0] if found else None

    def dead(self) -> list[tuple[str, bytes]]:
        """The dead letters, oldest first: reason and JSON."""
        with self._lock:
            return self._db.execute("SELECT reason, body FROM dead ORDER BY id").fetchall()

    def tell_damage(self) -> str | None:
        """What to tell of a file that was put aside, once."""
        damage, self._damage = self._damage, None
        return damage

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _write(self, rows: Sequence[Row], memory: Mapping[str, bytes]) -> None:
        with self._transaction() as db:
            for *row, basis in rows:
                number = db.execute(INSERT, row).lastrowid
                if basis is not None:
                    db.execute("INSERT INTO provisional VALUES (?, ?, ?)", [number, self._boot, basis])
            db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", memory.items())
            if self._dropped:
                self._note_loss(self._dropped, None, None)
            surplus = 0 if self._flying else max(0, self._rows + len(rows) - self.bound)
            if surplus:
                self._give_way(surplus)
        self._rows += len(rows) - surplus
        self._tell_loss(surplus)

    def _oldest(self, rows: int, size: int) -> list[Entry]:
        entries: list[Entry] = []
        with closing(self._db.execute(OLDEST, [rows])) as found:
            for number, *row in found:
                size -= len(row[3])
                if entries and size < 0:
                    break
                entries.append(Entry(number, Row(*row)))
        return entries

    def _settle(self, entries: Sequence[Entry], dead: list[tuple[str, bytes]], loss: Loss | None) -> int:
        with self._transaction() as db:
            if dead:
                db.executemany("INSERT INTO dead (reason, body) VALUES (?, ?)", dead)
                db.execute(KEEP_NEWEST_DEAD, [DEAD_BYTES])
            if loss:
                db.execute("DELETE FROM loss WHERE id = ?", [loss.id])
            gone = db.executemany(FORGET, [[number, row.source, row.timestamp] for number, row in entries])
            return max(0, gone.rowcount)

    def _right(self, booted: int) -> int:
        with self._transaction() as db:
            timeless = [
                Entry(number, Row(*row)) for number, *row in db.execute(TIMELESS, [self._boot, OLDEST_MS])
            ]
            letters = [("time not known", _letter(entry.row)) for entry in timeless]
            db.executemany("INSERT INTO dead (reason, body) VALUES (?, ?)", letters)
            db.execute(KEEP_NEWEST_DEAD, [DEAD_BYTES])
            db.executemany("DELETE FROM entry WHERE id = ?", [[entry.id] for entry in timeless])
            db.execute(RIGHT_STAMPS, {"booted": booted, "boot": self._boot, "stepped": STEPPED_MS})
            db.execute("DELETE FROM provisional")
        return len(timeless)

    def _give_way(self, surplus: int) -> None:
        found = self._db.execute(SURPLUS, {"set": OLDEST_MS, "surplus": surplus}).fetchone()
        self._db.execute(
            "DELETE FROM entry WHERE id IN (SELECT id FROM entry ORDER BY id LIMIT ?)", [surplus]
        )
        self._note_loss(*found)

    def _note_loss(self, count: int, first: int | None, last: int | None) -> None:
        loss = {"count": count, "first": first, "last": last}
        if not self._db.execute(ADD_LOSS, loss).rowcount:
            self._db.execute("INSERT INTO loss (count, first, last) VALUES (:count, :first, :last)", loss)

    def _tell_loss(self, surplus: int) -> None:
        if surplus and self._full.begins():
            log.warning("The spool is full at %d rows; from now on the oldest are lost.", self.bound)
        elif self._rows < self.bound * ROOM_AGAIN:
            self._full.ends()

    def _keep_in_memory(self, rows: list[Row], memory: dict[str, bytes], error: sqlite3.Error) -> None:
        self._dropped += max(0, len(rows) - MOST_UNWRITTEN)
        self._unwritten, self._unremembered = rows[-MOST_UNWRITTEN:], memory
        if self._disk.begins():
            log.warning("Readings cannot be kept on disk: %s. The newest wait in memory.", error)

    def _mending(self, work: Callable[[], Result]) -> Result:
        """Do the work; when the file turns out to be damaged, once more on a fresh one."""
        try:
            return work()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._db.close()
            self._begin_anew(str(error))
            self._rows = self._count()
            return work()

    def _begin_anew(self, why: str) -> None:
        aside = put_aside(self._path)
        self._db = open_database(self._path)
        saved = salvage(aside, self._db)
        self._damage = (
            f"The spool was damaged and is put aside as {aside.name}; {saved} rows of it were saved."
        )
        log.warning("%s (%s)", self._damage, why)

    def _count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM entry").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._db:  # the connection commits, or rolls back on any exception
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db


def _letter(row: Row) -> bytes:
    """A row as a dead letter."""
    content = {"source": row.source, "timestamp": row.timestamp, "what": row.what}
    return msgspec.json.encode({**content, "body": msgspec.Raw(row.body)})
