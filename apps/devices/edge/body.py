"""From the bytes of a request to its envelope. What cannot even be opened is refused as a whole."""

from __future__ import annotations

import re
import zlib
from typing import TypeVar

import msgspec
from msgspec import Raw

LIMIT = 8 * 1024 * 1024  # bytes of a body, as sent and inflated
MOST_BATCHES = 20_000
MOST_MEMBERS = 64  # of one gzip body: each costs a new decompressor
CHUNK = 64 * 1024
GZIP = zlib.MAX_WBITS | 16

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a part of an envelope may raise."""

Content = TypeVar("Content")


class MalformedError(ValueError):
    """The body is not what the contract says."""


class TooLargeError(ValueError):
    """The body, or what it inflates to, is over the limit."""


class Envelope(msgspec.Struct):
    """An upload whose parts are still JSON, so that a bad one loses nothing but itself."""

    batches: list[Raw]
    events: Raw = Raw(b"[]")
    agent: Raw = Raw(b"{}")


_ENVELOPE = msgspec.json.Decoder(Envelope)


def inflate(body: bytes, *, limit: int = LIMIT) -> bytes:
    """The content of a gzip body of any number of members, never holding more than `limit` bytes of it.

    Raises TooLargeError and MalformedError.
    """
    content = bytearray()
    for _ in range(MOST_MEMBERS):
        body = _inflate_member(body, content, limit).lstrip(b"\0")  # writers may pad with zeros
        if not body:
            return bytes(content)
    raise MalformedError(f"The gzip body has more than {MOST_MEMBERS} members.")


def _inflate_member(body: bytes, content: bytearray, limit: int) -> bytes:
    """Append one member to `content`; returns what follows it."""
    member, position = zlib.decompressobj(GZIP), 0
    while not member.eof:
        chunk = body[position : position + CHUNK]
        if not chunk:
            raise MalformedError("The gzip body ends too early.")
        position += len(chunk)
        try:
            content += member.decompress(chunk, limit + 1 - len(content))
        except zlib.error as error:
            raise MalformedError(f"The gzip body is damaged: {error}.") from error
        if len(content) > limit:
            raise TooLargeError(f"The body inflates to more than {limit:,} bytes.")
    return body[position - len(member.unused_data) :]


def open_envelope(body: bytes) -> Envelope:
    """The envelope in a JSON body. Raises MalformedError, and TooLargeError for too many batches."""
    envelope = decode(_ENVELOPE, body)
    if len(envelope.batches) > MOST_BATCHES:
        raise TooLargeError(f"The upload has more than {MOST_BATCHES:,} batches.")
    return envelope


def decode(decoder: msgspec.json.Decoder[Content], body: bytes) -> Content:
    """What `decoder` makes of a whole body. Raises MalformedError."""
    try:
        body.decode()  # msgspec passes over strings it is not asked for without a look at their encoding
        return _decode(decoder, body)
    except UnicodeDecodeError as error:
        raise MalformedError(f"The body is not UTF-8: {error.reason} at byte {error.start}.") from error
    except RecursionError as error:
        raise MalformedError("The body is nested too deeply.") from error
    except msgspec.DecodeError as error:
        raise MalformedError(f"{error}.") from error


def _decode(decoder: msgspec.json.Decoder[Content], body: bytes) -> Content:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _without_lone_surrogates(body)
        if mended == body:
            raise
        return decoder.decode(mended)


_ESCAPE = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _without_lone_surrogates(body: bytes) -> bytes:
    r"""Half a surrogate pair becomes \u0000, which is refused where it stands and not with all the rest."""
    return _ESCAPE.sub(lambda escape: rb"\u0000" if escape[2] else escape[0], body)
