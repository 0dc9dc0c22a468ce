"""Numbers as PostgreSQL sends arrays of them, without a Python object for each. Pure.

One dimension, no nulls (NaN is missing), big-endian: a header, then each item behind its length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct(">iiIii")  # dimensions, has nulls, type of items, length, lower bound
_FLOAT = np.dtype([("size", ">i4"), ("value", ">f8")])
_INTEGER = np.dtype([("size", ">i4"), ("value", ">i8")])
FLOAT8, INT8 = 701, 20


class Packed(bytes):
    """An array as it goes over the wire, to be given to a statement as it is."""


class PackedFloats(Packed):
    """float8[]"""


class PackedIntegers(Packed):
    """bigint[]"""


def pack_floats(values: NDArray[np.float64]) -> PackedFloats:
    """`values` (n,) as a float8[]."""
    return PackedFloats(_pack(values, _FLOAT, FLOAT8))


def pack_integers(values: NDArray[np.int64]) -> PackedIntegers:
    """`values` (n,) as a bigint[]."""
    return PackedIntegers(_pack(values, _INTEGER, INT8))


def unpack_floats(payloads: Sequence[bytes]) -> NDArray[np.float64]:
    """What several float8[] hold, one after another."""
    return _unpack(payloads, _FLOAT).astype(np.float64)


def unpack_integers(payload: bytes) -> NDArray[np.int64]:
    """What a bigint[] holds."""
    return _unpack([payload], _INTEGER).astype(np.int64)


def length(payload: bytes) -> int:
    """How many items an array has."""
    return (len(payload) - _HEADER.size) // _FLOAT.itemsize if len(payload) > _HEADER.size else 0


def _pack(values: NDArray[np.float64] | NDArray[np.int64], item: np.dtype[np.void], oid: int) -> bytes:
    items = np.empty(values.size, item)
    items["size"] = 8
    items["value"] = values
    return _HEADER.pack(1, 0, oid, values.size, 1) + items.tobytes()


def _unpack(payloads: Sequence[bytes], item: np.dtype[np.void]) -> NDArray[np.void]:
    joined = b"".join(payload[_HEADER.size :] for payload in payloads)
    values: NDArray[np.void] = np.frombuffer(joined, item)["value"]
    return values
