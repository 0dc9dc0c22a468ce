"""Payloads: every bit returns, every damaged bit is noticed, old ones decode for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from apps.readings import codec
from apps.readings.codec import Arrival, CorruptPayload, Tombstone

GOLDEN = Path(__file__).parent / "golden"


def clock() -> np.ndarray:
    return np.arange(60) * 10_000 + 1_773_100_800_000 + np.arange(60) % 7


def values() -> np.ndarray:
    return np.round(1000 + 100 * np.sin(np.arange(60) / 9), 1)


def arrivals() -> list[Arrival]:
    rows = np.vstack([values(), values() - 500])
    rows[0, 3] = np.nan
    return [
        Arrival(np.array([7, 8]), clock(), rows),
        Arrival(np.array([2**40]), clock()[:5], values()[None, :5]),
    ]


TOMBSTONE = Tombstone((7, 2**40), 1_773_100_800_000, 1_773_187_200_000)
KINDS: dict[str, tuple[Callable[[], bytes], Callable[[bytes], object]]] = {
    "values": (lambda: codec.encode_values(values()), codec.decode_values),
    "clock": (lambda: codec.encode_clock(clock()), codec.decode_clock),
    "arrivals": (lambda: codec.encode_arrivals(arrivals()), codec.decode_tail),
    "tombstone": (lambda: codec.encode_tombstone(TOMBSTONE), codec.decode_tail),
}


def assert_arrivals(decoded: object) -> None:
    assert isinstance(decoded, list)
    for got, put in zip(decoded, arrivals(), strict=True):
        np.testing.assert_array_equal(got.series, put.series)
        np.testing.assert_array_equal(got.stamps, put.stamps)
        np.testing.assert_array_equal(got.values, put.values)


@given(hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(allow_nan=True)))
def test_values_return_bit_by_bit(numbers: np.ndarray) -> None:
    decoded = codec.decode_values(codec.encode_values(numbers))
    np.testing.assert_array_equal(decoded.view(np.int64), numbers.view(np.int64))


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=300, unique=True))
def test_stamps_return(stamps: list[int]) -> None:
    ordered = np.array(sorted(stamps))
    np.testing.assert_array_equal(codec.decode_clock(codec.encode_clock(ordered)), ordered)


def test_blocks_of_different_clocks_return() -> None:
    assert_arrivals(codec.decode_tail(codec.encode_arrivals(arrivals())))


def test_a_tombstone_returns() -> None:
    assert codec.decode_tail(codec.encode_tombstone(TOMBSTONE)) == TOMBSTONE


def test_a_value_is_decoded_into_the_array_given() -> None:
    whole = np.zeros(70)
    codec.decode_values(codec.encode_values(values()), whole[10:])
    np.testing.assert_array_equal(whole[10:], values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit_is_noticed(kind: str) -> None:
    encode, decode = KINDS[kind]
    payload = encode()
    for bit in range(len(payload) * 8):
        damaged = bytearray(payload)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptPayload):
            decode(bytes(damaged))


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_noticed(kind: str) -> None:
    encode, decode = KINDS[kind]
    payload = encode()
    for length in range(len(payload)):
        with pytest.raises(CorruptPayload):
            decode(payload[:length])


def test_a_payload_of_another_kind_is_refused() -> None:
    with pytest.raises(CorruptPayload, match="Codec 3"):
        codec.decode_values(codec.encode_clock(clock()))
    with pytest.raises(CorruptPayload, match="Codec 2"):
        codec.decode_tail(codec.encode_values(values()))


def test_an_array_of_another_length_is_refused() -> None:
    with pytest.raises(CorruptPayload, match="60 numbers where 59 belong"):
        codec.decode_values(codec.encode_values(values()), np.empty(59))


def golden(kind: str) -> bytes:
    return (GOLDEN / f"{kind}.v1").read_bytes()


def test_payloads_of_the_first_version_decode() -> None:
    np.testing.assert_array_equal(codec.decode_values(golden("values")), values())
    np.testing.assert_array_equal(codec.decode_clock(golden("clock")), clock())
    assert_arrivals(codec.decode_tail(golden("arrivals")))
    assert codec.decode_tail(golden("tombstone")) == TOMBSTONE


def test_threads_share_no_compressor() -> None:
    """A compressor used by two threads at once writes frames that decode to nothing or to other numbers."""
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(20, 300))
        arrival = Arrival(np.arange(20), np.arange(300), rows)
        start.wait()
        try:
            for _ in range(120):
                (decoded,) = codec.decode_tail(codec.encode_arrivals([arrival]))
                np.testing.assert_array_equal(decoded.values, rows)
                np.testing.assert_array_equal(codec.decode_values(codec.encode_values(rows[0])), rows[0])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_bytes_from_elsewhere_are_refused(noise: bytes) -> None:
    for decode in (codec.decode_values, codec.decode_clock, codec.decode_tail):
        with pytest.raises(CorruptPayload):
            decode(noise)
