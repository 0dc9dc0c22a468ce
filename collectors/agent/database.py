"""The SQLite file under the spool: opened, checked, and put aside when it is damaged."""

import logging
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from collectors.agent.files import create_private

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, timestamp INTEGER NOT NULL,
    what TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS provisional (
    id INTEGER PRIMARY KEY REFERENCES entry ON DELETE CASCADE, boot TEXT NOT NULL, basis INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS loss (
    id INTEGER PRIMARY KEY AUTOINCREMENT, count INTEGER NOT NULL, first INTEGER, last INTEGER, told INTEGER);
CREATE TABLE IF NOT EXISTS memory (key TEXT PRIMARY KEY, body BLOB NOT NULL);
"""
TABLES = ("memory", "loss", "dead", "entry", "provisional")
COMPANIONS = ("", "-wal", "-shm")


class DamagedError(Exception):
    """The file is no whole database."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file itself is spoilt, so that no second try can help."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def open_database(path: Path) -> sqlite3.Connection:
    """The database, whole and with all tables. Raises DamagedError; sqlite3.Error when it cannot be used."""
    create_private(path)
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
    try:
        _prepare(db)
    except sqlite3.Error as error:
        db.close()
        if is_damage(error):
            raise DamagedError(str(error)) from error
        raise
    except DamagedError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA foreign_keys=ON")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")  # in WAL mode, NORMAL may lose the last commits
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedError(found)
    db.executescript(SCHEMA)


def put_aside(path: Path) -> Path:
    """Rename a damaged database, replacing one put aside earlier: there is never more than one."""
    aside = path.with_name(f"{path.name}.damaged")
    for companion in COMPANIONS:
        old, new = path.with_name(path.name + companion), aside.with_name(aside.name + companion)
        new.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            old.replace(new)
    return aside


def salvage(aside: Path, db: sqlite3.Connection) -> int:
    """Copy into a fresh database what of a damaged one can still be read; returns the number of entries."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(aside)) as damaged:
        for table in TABLES:
            with suppress(sqlite3.Error):
                _copy(damaged.execute(f"SELECT * FROM {table} ORDER BY 1"), table, db)  # noqa: S608 - ours
    return int(db.execute("SELECT count(*) FROM entry").fetchone()[0])


def _copy(rows: Iterable[tuple[object, ...]], table: str, db: sqlite3.Connection) -> None:
    """Row by row: those before the damage are worth having."""
    db.execute("BEGIN")
    try:
        for row in rows:
            with suppress(sqlite3.IntegrityError):
                db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    finally:
        db.execute("COMMIT")
