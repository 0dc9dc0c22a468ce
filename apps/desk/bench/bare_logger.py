"""What a logger's file costs without a product: a WSGI application that finds it, checks it and splits it.

Nothing is stored, nobody is known, and no number is understood: it is the least that a receiver does.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

_MD5 = re.compile(rb'name="MD5CHECKSUM"\r\n\r\n([0-9a-f]{32})\r\n')
_FILE = re.compile(rb'name="LOGFILE"; filename="[^"]*"\r\n[^\r]*\r\n\r\n')


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answer SUCCESS to a file whose checksum is right."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    reply = b"\nSUCCESS\n" if not body or _is_right(body) else b"FAILURE\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(reply)))])
    return [reply]


def _is_right(body: bytes) -> bool:
    told, part = _MD5.search(body), _FILE.search(body)
    if told is None or part is None:
        return False
    packed = body[part.end() : body.rindex(b"\r\n--")]
    if hashlib.md5(packed, usedforsecurity=False).hexdigest().encode() != told[1]:
        return False
    rows = [line.split(",") for line in gzip.decompress(packed).decode().splitlines()]
    return len(rows) > 0
