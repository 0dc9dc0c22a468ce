"""Where bodies are kept.

Whatever keeps them must pass `tests/inbox/contract.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Protocol

import zstandard

from apps.inbox.models import Body, Receipt
from config.prepared import fetch, run

# Measured on logger files and vendors' JSON: level 3 leaves 40 % and 12 %, at more than 100 MB/s; level 9
# leaves 37 % and 11 % for seven to ten times the work. Files that come gzipped, and the shortest bodies,
# only grow, so each is kept the way it is smaller.
_LEVEL = 3
_GZIP = b"\x1f\x8b"

# Not “do nothing”: writing the row, to the same effect, also keeps it from being dropped meanwhile.
_PUT = """
INSERT INTO inbox_body (sha256, size, compressed, payload)
VALUES (%(sha256)s, %(size)s::int, %(compressed)s::boolean, %(payload)s::bytea)
ON CONFLICT (sha256) DO UPDATE SET size = excluded.size
"""
_GET = "SELECT size, compressed, payload FROM inbox_body WHERE sha256 = %(sha256)s::varchar"


class BodyMissing(LookupError):  # noqa: N818  as KeyError, a fact rather than an accident
    """There is no such body, or no longer."""


class BodyDamaged(Exception):  # noqa: N818
    """What is kept is not what arrived."""


class Bodies(Protocol):
    """Bytes under the hexadecimal SHA-256 of what they were when they came."""

    def put(self, body: bytes) -> str:
        """Keep `body`, once however often it comes; returns its SHA-256.

        Call it in a transaction: the body is there when that has committed, and not dropped before.
        """

    def get(self, sha256: str) -> bytes:
        """The very bytes. Raises BodyMissing, or BodyDamaged rather than return anything else."""

    def drop(self, sha256s: Collection[str]) -> None:
        """Forget these bodies, which nothing refers to; harmless for those that are not there."""


class PostgresBodies:
    """Bodies as rows of PostgreSQL."""

    def put(self, body: bytes) -> str:
        sha256 = hashlib.sha256(body).hexdigest()
        payload, compressed = _shrunk(body)
        run(_PUT, {"sha256": sha256, "size": len(body), "compressed": compressed, "payload": payload})
        return sha256

    def get(self, sha256: str) -> bytes:
        found = fetch(_GET, {"sha256": sha256})
        if not found:
            raise BodyMissing(sha256)
        body = _restored(sha256, *found[0])
        if hashlib.sha256(body).hexdigest() != sha256:
            raise BodyDamaged(sha256)
        return body

    def drop(self, sha256s: Collection[str]) -> None:
        Body.objects.filter(pk__in=sha256s).delete()


store: Bodies = PostgresBodies()


def body_of(receipt: Receipt) -> bytes:
    """What arrived. Raises BodyMissing, also when it has expired, or BodyDamaged."""
    if receipt.body_id is None:
        raise BodyMissing(f"The body of {receipt} is no longer kept.")
    return store.get(receipt.body_id)


def _shrunk(body: bytes) -> tuple[bytes, bool]:
    """The payload to keep, and whether it is compressed. Compressors bear no sharing between threads."""
    if body.startswith(_GZIP):
        return body, False
    frame = zstandard.ZstdCompressor(level=_LEVEL).compress(body)
    return (frame, True) if len(frame) < len(body) else (body, False)


def _restored(sha256: str, size: int, compressed: bool, payload: bytes) -> bytes:
    if not compressed:
        return payload
    try:
        return zstandard.ZstdDecompressor().decompress(payload, max_output_size=size)
    except zstandard.ZstdError as error:
        raise BodyDamaged(sha256) from error
