"""A parser for tests, of bodies of lines: each line names a house to be there, but for some orders."""

from __future__ import annotations

import os
import signal

from django.db import OperationalError

from apps.houses.models import House
from apps.inbox.models import Receipt
from apps.inbox.parsers import ParseError, Result, register

KIND = "test.lines"
VERSION = 3
SECRET = "https://vendor.example/?token=abc123"

# What the orders “map” and “mend” wait for; tests change it.
mended: set[str] = set()


def parse(receipt: Receipt, body: bytes) -> Result:
    """Make the houses, or do what a line orders."""
    for line in body.decode().splitlines():
        if line == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if line == "stumble" and line not in mended:
            raise OperationalError("deadlock detected")
        if line == "refuse":
            raise ParseError("Line 2 is no address.")
        if line == "mend" and line not in mended:
            raise ValueError(SECRET)
        if line == "map" and line not in mended:
            return Result(needs_mapping="Register 3 is not mapped.")
        House.objects.get_or_create(name=line)
    return Result()


register(KIND, parse, VERSION)
