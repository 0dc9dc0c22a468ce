"""Bodies that are compressed once and sent often, each time behind a few bytes of their own. Pure."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_LEVEL = 6
_RAW = -zlib.MAX_WBITS
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, unknown system


@dataclass(frozen=True)
class Tail:
    """The end of a body, compressed so that anything may stand before it."""

    plain: bytes
    deflated: bytes

    def after(self, head: bytes) -> bytes:
        """`head` and this as one gzip member.

        Blocks of deflate may be strung together where each begins at a whole byte and looks back no farther
        than to its own beginning: a flushed head, and a tail that was compressed alone.
        """
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        begin = packer.compress(head) + packer.flush(zlib.Z_SYNC_FLUSH)
        check = zlib.crc32(self.plain, zlib.crc32(head))
        size = (len(head) + len(self.plain)) & 0xFFFFFFFF
        return _HEADER + begin + self.deflated + struct.pack("<II", check, size)


def tail(plain: bytes) -> Tail:
    """Compress the end of a body."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    return Tail(plain, packer.compress(plain) + packer.flush())
