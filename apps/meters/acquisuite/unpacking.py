"""The text of what a logger sends, gzipped or plain. Pure.

AcquiSuites send gzip, AcquiLites plain text; file names say little about which it is.
"""

from __future__ import annotations

import codecs
import zlib

GZIP = b"\x1f\x8b"
MOST_BYTES = 32 * 1024 * 1024
"""Of inflated text."""
MOST_RATIO = 250
"""The dullest log shrinks to a fiftieth; what shrinks much more is a bomb."""
LEAST_BOUND = 1024 * 1024
_WINDOW = 31  # gzip with its header and CRC


class UnreadableError(ValueError):
    """The bytes are no file of a logger; the text tells people why."""


def unpack(body: bytes) -> str:
    """The text in `body`. Raises UnreadableError for what is cut, damaged, not text or too large."""
    plain = inflate(body) if body.startswith(GZIP) else body
    if len(plain) > MOST_BYTES:
        raise UnreadableError(f"The file has {len(plain):,} bytes; at most {MOST_BYTES:,} are accepted.")
    if b"\0" in plain:
        raise UnreadableError("The file is not text.")
    plain = plain.removeprefix(codecs.BOM_UTF8)
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return plain.decode("latin-1")  # the names that people gave: what is looked at is ASCII


def inflate(body: bytes) -> bytes:
    """All gzip members of `body`. Raises UnreadableError."""
    bound = min(MOST_BYTES, max(LEAST_BOUND, MOST_RATIO * len(body)))
    parts: list[bytes] = []
    room = bound
    while body:
        part, body = _member(body, room)
        room -= len(part)
        parts.append(part)
        body = body.lstrip(b"\0")  # padding, as tapes have it
    return b"".join(parts)


def _member(body: bytes, room: int) -> tuple[bytes, bytes]:
    """The first member inflated, and what follows it."""
    engine = zlib.decompressobj(_WINDOW)
    try:
        plain = engine.decompress(body, room + 1)
    except zlib.error as error:
        raise UnreadableError("The file is damaged: it cannot be gunzipped.") from error
    if len(plain) > room:
        raise UnreadableError("The file inflates to more than is accepted.")
    if not engine.eof:
        raise UnreadableError("The file is cut off: its gzip does not end.")
    return plain, engine.unused_data
