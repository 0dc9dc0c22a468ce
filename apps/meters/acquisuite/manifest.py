"""The list of configuration files that a logger asks for. Pure.

A logger compares checksums. Where they differ and our time is newer it fetches the file and applies it, else
it sends its own. So a file of which we only keep a copy has no time: whatever the logger has is newer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

NEVER = "0000-00-00 00:00:00"
UNKNOWN = "X"


@dataclass(frozen=True)
class Entry:
    """A file; `md5` is empty where we hold none, `newer` is when an operator offered it to the logger."""

    name: str
    md5: str = ""
    newer: datetime | None = None


def lines(entries: Iterable[Entry]) -> str:
    """The body of the answer."""
    return "".join(f"CONFIGFILE,{one.name},{one.md5 or UNKNOWN},{_time(one)}\n" for one in entries)


def _time(entry: Entry) -> str:
    return NEVER if entry.newer is None else f"{entry.newer.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
