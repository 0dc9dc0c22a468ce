"""The bytes of the store: what a payload looks like, and that a damaged one never decodes. Pure.

A payload is a frame: magic (2 bytes), codec (1), flags (1), count (4), CRC-32 (4) over all the others, body.
Integers are little-endian. Codecs and their bodies:

1. Arrivals: zstd of blocks one after another. A block is int64 k, n, then k series ids, n stamps (int64) and
   k × n values (float64, NaN = absent). Count: blocks.
2. Values: pcodec of float64. Count: values.
3. Clock: pcodec of int64 stamps, first-order deltas. Count: stamps.
4. Tombstone: int64 start, end, then series ids. Count: ids.

A codec's format never changes; a better one gets the next number, so that stored days decode for ever.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar
from zlib import crc32

import numpy as np
import zstandard
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec
from pcodec.standalone import simple_compress, simple_decompress_into

from apps.readings.samples import Stamps, Values

Numbers = TypeVar("Numbers", Stamps, Values)

MAGIC = b"\xd7W"
_HEAD = struct.Struct("<2sBBI")
_CRC = struct.Struct("<I")
_BODY = _HEAD.size + _CRC.size
_INT = np.dtype("<i8")
_FLOAT = np.dtype("<f8")
_VALUES = ChunkConfig(compression_level=8)
_CLOCK = ChunkConfig(compression_level=8, delta_spec=DeltaSpec.try_consecutive(1))


class Codec(IntEnum):
    ARRIVALS = 1
    VALUES = 2
    CLOCK = 3
    TOMBSTONE = 4


class CorruptPayload(ValueError):  # noqa: N818  says what is wrong, like FileNotFound
    """The bytes are not what was written."""


@dataclass(frozen=True, eq=False)
class Arrival:
    """Fields sampled together: `series` ids (k,), `stamps` (n,) in any order, `values` (k, n) or NaN."""

    series: Stamps
    stamps: Stamps
    values: Values


@dataclass(frozen=True)
class Tombstone:
    """Everything of these series in [start, end) that arrived earlier is withdrawn."""

    series: tuple[int, ...]
    start: int
    end: int


class _Zstd(threading.local):
    """One compressor per thread: a shared one writes corrupt frames without an error."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _Zstd()


def encode_values(values: Values) -> bytes:
    """Pack the values (n,) of a segment; every bit of them returns."""
    return _frame(Codec.VALUES, len(values), simple_compress(values, _VALUES))


def decode_values(payload: bytes, out: Values | None = None) -> Values:
    """Unpack a segment's values, into `out` when given. Raises CorruptPayload."""
    count, body = _unframe(payload, Codec.VALUES)
    return _inflate(body, np.empty(count, np.float64) if out is None else out, count)


def encode_clock(stamps: Stamps) -> bytes:
    """Pack a vector of stamps (n,)."""
    return _frame(Codec.CLOCK, len(stamps), simple_compress(stamps, _CLOCK))


def decode_clock(payload: bytes, out: Stamps | None = None) -> Stamps:
    """Unpack a vector of stamps, into `out` when given. Raises CorruptPayload."""
    count, body = _unframe(payload, Codec.CLOCK)
    return _inflate(body, np.empty(count, np.int64) if out is None else out, count)


def encode_arrivals(arrivals: Sequence[Arrival]) -> bytes:
    """Pack what arrived together for one source-day."""
    body = b"".join(piece.data for arrival in arrivals for piece in _block(arrival))
    return _frame(Codec.ARRIVALS, len(arrivals), _zstd.compress(body))


def encode_tombstone(tombstone: Tombstone) -> bytes:
    """Pack a withdrawal."""
    body = np.array([tombstone.start, tombstone.end, *tombstone.series], _INT).tobytes()
    return _frame(Codec.TOMBSTONE, len(tombstone.series), body)


def decode_tail(payload: bytes) -> list[Arrival] | Tombstone:
    """Unpack a tail row. Raises CorruptPayload."""
    count, body = _unframe(payload, Codec.ARRIVALS, Codec.TOMBSTONE)
    if payload[2] == Codec.ARRIVALS:
        return _arrivals(_decompress(body), count)
    start, end, *series = np.frombuffer(body, _INT).tolist()
    return Tombstone(tuple(series), start, end)


def _frame(codec: Codec, count: int, body: bytes) -> bytes:
    head = _HEAD.pack(MAGIC, codec, 0, count)
    return b"".join((head, _CRC.pack(crc32(body, crc32(head))), body))


def _unframe(payload: bytes, *expected: Codec) -> tuple[int, bytes]:
    if len(payload) < _BODY:
        raise CorruptPayload("The payload is shorter than its header.")
    magic, codec, flags, count = _HEAD.unpack_from(payload)
    body = payload[_BODY:]
    (crc,) = _CRC.unpack_from(payload, _HEAD.size)
    if magic != MAGIC or crc != crc32(body, crc32(payload[: _HEAD.size])):
        raise CorruptPayload("The payload was damaged: its checksum is wrong.")
    if codec not in expected or flags:
        raise CorruptPayload(f"Codec {codec} with flags {flags} cannot be read here.")
    return count, body


def _inflate(body: bytes, out: Numbers, count: int) -> Numbers:
    if len(out) != count:
        raise CorruptPayload(f"The payload holds {count} numbers where {len(out)} belong.")
    try:
        progress = simple_decompress_into(body, out)
    except (RuntimeError, TypeError) as error:
        raise CorruptPayload(f"pcodec cannot read the payload: {error}") from error
    if progress.n_processed != count or not progress.finished:
        raise CorruptPayload("The payload holds another number of values than it says.")
    return out


def _block(arrival: Arrival) -> Iterator[NDArray[Any]]:
    """Its parts, without a copy of any that lies in memory as it is to be written."""
    yield np.array(arrival.values.shape, _INT)
    yield np.ascontiguousarray(arrival.series, _INT)
    yield np.ascontiguousarray(arrival.stamps, _INT)
    yield np.ascontiguousarray(arrival.values, _FLOAT)


def _decompress(body: bytes) -> bytes:
    try:
        return _zstd.decompress(body)
    except zstandard.ZstdError as error:
        raise CorruptPayload(f"zstd cannot read the payload: {error}") from error


def _arrivals(body: bytes, count: int) -> list[Arrival]:
    arrivals, position = [], 0
    for _ in range(count):
        k, n = np.frombuffer(body, _INT, 2, position).tolist()
        numbers = np.frombuffer(body, _INT, k + n + k * n, position + 16)
        values = numbers[k + n :].view(_FLOAT).reshape(k, n)
        arrivals.append(Arrival(numbers[:k], numbers[k : k + n], values))
        position += 16 + numbers.nbytes
    return arrivals
