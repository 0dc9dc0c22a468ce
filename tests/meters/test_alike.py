"""Rows that are read together come to the same as rows that are read one by one, whatever is between them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.meters.acquisuite import alike, logfile
from apps.meters.acquisuite.logfile import LogFile
from apps.meters.acquisuite.unpacking import UnreadableError
from tests.fuzzing import examples

NEWEST = int(datetime(2026, 6, 2, tzinfo=UTC).timestamp() * 1000)
OLDEST = logfile.OLDEST
TIME = "'2026-05-31 23:59:59'"
PLAIN = [f"'2026-05-31 00:{n:02}:00',0,0x0000,0x0000,{n},{n / 8},-0.00" for n in range(60)]


def read(lines: list[str]) -> alike.Rows:
    return alike.read(lines, oldest=OLDEST, newest=NEWEST)


def outcome(text: str, *, together: bool) -> LogFile | str:
    """What comes of a text, or why nothing does."""
    with pytest.MonkeyPatch.context() as patch:
        if not together:
            patch.setattr(alike, "read", lambda *_, **__: alike.NONE)
        try:
            return logfile.parse(text, newest=NEWEST)
        except UnreadableError as error:
            return str(error)


def bits(values: np.ndarray) -> list[list[str]]:
    """The values with the sign of a zero, in which all that are missing are alike."""
    return [["-" if math.isnan(one) else one.hex() for one in row] for row in values.tolist()]


def assert_alike(text: str) -> None:
    """Both ways agree on everything that a log tells."""
    one, other = outcome(text, together=False), outcome(text, together=True)
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return
    assert other.stamps.tolist() == one.stamps.tolist()
    assert other.codes.tolist() == one.codes.tolist()
    assert bits(other.values) == bits(one.values)
    assert (dict(other.low), dict(other.high)) == (dict(one.low), dict(one.high))
    assert (other.header, other.header_width) == (one.header, one.header_width)
    assert (list(other.bad), other.bad_count) == (list(one.bad), one.bad_count)
    assert (other.stamps.dtype, other.codes.dtype) == (one.stamps.dtype, one.codes.dtype)


class TestWhatIsReadTogether:
    def test_a_whole_day(self) -> None:
        rows = read(PLAIN)
        assert rows.places.tolist() == list(range(60))
        assert rows.stamps[59] - rows.stamps[0] == 59 * 60_000
        assert rows.values[8].tolist() == [8, 1, 0]
        assert math.copysign(1, rows.values[8, 2]) == -1

    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            ("1,NULL,3", [1, None, 3]),
            (",,", [None, None, None]),
            ("1,,", [1, None, None]),
            (",2,", [None, 2, None]),
            ("1e3,-5, 7 ", [1000, -5, 7]),
        ],
    )
    def test_rows_with_points_that_are_missing(self, cells: str, expected: list[float | None]) -> None:
        (row,) = read([f"{TIME},0,0,0,{cells}"]).values.tolist()
        assert [None if math.isnan(one) else one for one in row] == expected

    @pytest.mark.parametrize(
        "odd",
        [
            f"{TIME},139,0x0000,0x0000,1,2,3",
            f"{TIME},0,0x0001,0x0000,1,2,3",
            f"{TIME},0,0x0000,0x0000,1,2",
            "'2026-02-29 00:00:00',0,0x0000,0x0000,1,2,3",
            "'2026-05-31 24:00:00',0,0x0000,0x0000,1,2,3",
            "'2026-05-3x 00:00:00',0,0x0000,0x0000,1,2,3",
            "'1999-12-31 23:59:59',0,0x0000,0x0000,1,2,3",
            "'2026-06-02 00:00:01',0,0x0000,0x0000,1,2,3",
            '"2026-05-31 00:00:00",0,0x0000,0x0000,1,2,3',
            "",
        ],
    )
    def test_other_rows_between_them_are_left_out(self, odd: str) -> None:
        assert read([PLAIN[0], odd, PLAIN[1]]).places.tolist() == [0, 2]
        assert_alike("\n".join([PLAIN[0], odd, PLAIN[1]]))

    @pytest.mark.parametrize(
        "cells", ["1,2,x", "1,2,1_0", "1,2,٣", "1,2,'3'", "1,[2],3", '1,"2",3', "1,2,+3"]
    )
    def test_nothing_where_a_cell_is_spelt_in_another_way(self, cells: str) -> None:
        rows = [PLAIN[0], f"{TIME},0,0x0000,0x0000,{cells}"]
        assert read(rows) is alike.NONE
        assert_alike("\n".join(rows))

    def test_leap_days_and_ends_of_years(self) -> None:
        days = ["2024-02-29", "2000-02-29", "2023-12-31", "2024-01-01", "2000-01-01"]
        stamps = read([f"'{day} 23:59:58',0,0,0,1" for day in days]).stamps.tolist()
        assert stamps == [
            int(datetime.fromisoformat(f"{day}T23:59:58+00:00").timestamp()) * 1000 for day in days
        ]


times = st.integers(0, 3 * 3600).map(lambda s: f"2026-05-31 {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}")
odd_times = st.sampled_from(
    [
        "2026-02-30 00:00:00",
        "2026-5-31 9:05:07",
        "2026-05-31T00:00:07Z",
        "2026-05-31 00:60:00",
        "1999-01-01 00:00:00",
        "2099-01-01 00:00:00",
        "0000-00-00 00:00:00",
        "٢026-05-31 00:00:00",
        "time(utc)",
        "",
    ]
)
points = st.one_of(
    st.floats(width=64).map(str),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}"),
    st.integers(-(10**25), 10**25).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=20).map(str),
    st.sampled_from(
        [
            "",
            "NULL",
            "null",
            "Null",
            " ",
            " 5",
            "-0",
            "-0.00",
            "1e400",
            "1e-400",
            "007",
            ".5",
            "5.",
            "+5",
            "1_0",
            "x",
        ]
    ),
    st.sampled_from(
        ["[1]", '"1"', "'1'", "true", "{}", "0x1", "1\t", "\x0c1", "٣", "]", "1]", "NaN", "Infinity"]
    ),
)
rows_ = st.builds(
    lambda quote, time, code, low, high, cells: ",".join([f"{quote}{time}{quote}", code, low, high, *cells]),
    st.sampled_from(["'"] * 8 + ['"', "", " "]),
    st.one_of(times, times, times, odd_times),
    st.sampled_from(["0"] * 12 + ["139", "160", "162", "192", "00", "'0'", "x", ""]),
    st.sampled_from(["0x0000"] * 8 + ["0x1", "0", "", "zz", " 0x0", "0x" + "f" * 20]),
    st.sampled_from(["0x0000"] * 8 + ["0x1", "0", ""]),
    st.lists(points, min_size=2, max_size=3) | st.lists(st.integers(0, 999).map(str), min_size=3, max_size=3),
)
others = st.sampled_from(
    [
        "",
        "   ",
        "rubbish, rubbish, rubbish",
        "time(utc),error,low alarm,high alarm,'Energy (kWh)','Power, all (kW)','V (V)'",
        "time(utc),error,low alarm,high alarm,'Energy (kWh)','V (V)','Power, all (kW)'",
        "'2026-05-31 00:00:00'\t0\t0x0\t0x0\t1\t2\t3",
        "'2026-05-31 00:00:00',0",
        "\0",
    ]
)
files = st.lists(st.sampled_from(PLAIN) | rows_ | rows_ | others, max_size=12)


@settings(max_examples=examples(400, nightly=20_000), deadline=None)
@given(lines=files, ends=st.sampled_from(["\n", "\r\n", "\r"]))
def test_both_ways_agree_on_every_file(lines: list[str], ends: str) -> None:
    assert_alike(ends.join(lines))


@settings(max_examples=examples(200, nightly=5_000), deadline=None)
@given(
    value=st.floats() | st.decimals(allow_nan=False, allow_infinity=False).map(float) | st.floats(-1e9, 1e9)
)
def test_both_ways_agree_on_every_number(value: float) -> None:
    for spelt in (repr(value), f"{value:.30e}", f"{value:.17g}", f"{value:f}"):
        assert_alike(f"{PLAIN[0]}\n{TIME},0,0x0000,0x0000,1,2,{spelt}")
