"""Passwords of loggers: shown once, kept as argon2, and verified at most once a minute in each process."""

from __future__ import annotations

import hashlib
import secrets
import string
from datetime import datetime, timedelta

from django.contrib.auth.hashers import check_password, make_password

from apps.houses.memory import Memory
from apps.meters.models import Logger

LENGTH = 16
SHORTEST = 8
LONGEST = 64
# No letters or digits that people take for each other: somebody types it into a box on a wall.
_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))
# A changed password may be taken for so much longer in a process that remembers it.
MEMORY_AGE = timedelta(seconds=60)
MEMORY_SIZE = 4096


def make() -> str:
    """A new password, of over 90 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


def hashed(password: str) -> str:
    """What is stored of a password."""
    return make_password(password)


def verify(serial: str, password: str, *, now: datetime) -> Logger | None:
    """The logger, enabled or not, with its house; None for a wrong password and an unknown serial alike.

    The answer is remembered for a minute, failures too. Both failures take the same time.
    """
    pair = hashlib.sha256(f"{serial}\0{password}".encode("utf-8", "surrogatepass")).digest()
    if logger := _good.recall(pair, now):
        return logger
    if _bad.recall(pair, now):
        return None
    found = Logger.objects.select_related("house").filter(serial=serial).first()
    right = check_password(password, found.password if found else _nobodys())
    if found is None or not right:
        _bad.keep(pair, True, now)
        return None
    _good.keep(pair, found, now)
    return found


def remembered(serial: str, password: str, *, now: datetime) -> bool:
    """Whether `verify` would answer without any work."""
    pair = hashlib.sha256(f"{serial}\0{password}".encode("utf-8", "surrogatepass")).digest()
    return bool(_good.recall(pair, now) or _bad.recall(pair, now))


def forget() -> None:
    """Drop what this process remembers."""
    _good.clear()
    _bad.clear()


_unknown: dict[str, str] = {}


def _nobodys() -> str:
    """A hash that no password has, made by today's hasher, so that strangers learn nothing from the time."""
    if "hash" not in _unknown:
        _unknown["hash"] = make_password(secrets.token_urlsafe())
    return _unknown["hash"]


_good: Memory[Logger] = Memory(size=MEMORY_SIZE, age=MEMORY_AGE)
_bad: Memory[bool] = Memory(size=MEMORY_SIZE, age=MEMORY_AGE)
