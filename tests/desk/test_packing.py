"""Bodies compressed once are what they were, whatever stands before them."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.desk.packing import tail


@given(st.binary(max_size=200), st.binary(max_size=2000))
def test_head_and_tail_are_unpacked_as_one(head: bytes, end: bytes) -> None:
    assert gzip.decompress(tail(end).after(head)) == head + end


def test_it_is_a_single_member_which_every_browser_reads_to_its_end() -> None:
    packed = tail(b'"a": 1}' * 9000).after(b'{"now": 7')
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(packed) == b'{"now": 7' + b'"a": 1}' * 9000
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_one_tail_serves_many_heads_and_is_small() -> None:
    end = tail(b"0.123, null, " * 5000)
    assert len(end.after(b"1")) < 2000
    assert gzip.decompress(end.after(b"22"))[:2] == b"22"


def test_damage_is_noticed() -> None:
    packed = bytearray(tail(b"values" * 100).after(b"head"))
    packed[-6] ^= 1
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(bytes(packed))
