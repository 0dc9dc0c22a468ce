"""Log files as they are found: quotes, headers, short and long rows, NULLs, bitmaps, wrong clocks."""

from __future__ import annotations

import gzip
import math
from datetime import UTC, datetime

import numpy as np
import pytest

from apps.meters.acquisuite import logfile
from apps.meters.acquisuite.logfile import Column, LogFile
from apps.meters.acquisuite.unpacking import UnreadableError, unpack

NEWEST = 4 * 10**12
NOON = int(datetime(2023, 1, 10, 12, tzinfo=UTC).timestamp() * 1000)
TIME = "'2023-01-10 12:00:00'"
HEADER = "time(utc),error,low alarm,high alarm,'Voltage, Line to Line (Volts)','kWh (kWh)'"


def parse(text: str) -> LogFile:
    return logfile.parse(text, newest=NEWEST)


def values(text: str) -> list[list[float | None]]:
    """The points row by row; None for what is missing."""
    return [[None if math.isnan(v) else v for v in row] for row in parse(text).values.T.tolist()]


class TestTimes:
    @pytest.mark.parametrize(
        "time",
        [
            "'2023-01-10 12:00:00'",
            '"2023-01-10 12:00:00"',
            "2023-01-10 12:00:00",
            " 2023-01-10 12:00:00 ",
            "2023-01-10T12:00:00Z",
            "2023-01-10T12:00:00.000+00:00",
            "2023-1-10 12:00:00",
        ],
    )
    def test_in_every_spelling(self, time: str) -> None:
        assert parse(f"{time},0,0x0,0x0,1").stamps.tolist() == [NOON]

    def test_of_one_digit(self) -> None:
        assert parse("2023-01-10 9:05:07,0,0,0,1").stamps.tolist() == [NOON - 10_493_000]

    @pytest.mark.parametrize(
        "time", ["2023-02-30 12:00:00", "2023-01-10 24:00:00", "2023-01-10 12:60:00", "10.01.2023 12:00:00"]
    )
    def test_there_is_no_such(self, time: str) -> None:
        log = parse(f"{TIME},0,0,0,1\n'{time}',0,0,0,1")
        assert (len(log.stamps), log.bad_count, log.bad[0].line) == (1, 1, 2)

    def test_that_a_remembered_day_makes_quick_are_checked_as_well(self) -> None:
        bad = ["12:0a:00", "12-00-00", "25:00:00", "12:00:61", "١٢:00:00"]
        log = parse("\n".join(f"'2023-01-10 {clock}',0,0,0,1" for clock in ["12:00:00", *bad]))
        assert (len(log.stamps), log.bad_count) == (1, len(bad))

    @pytest.mark.parametrize("time", ["1999-12-31 23:59:59", "2096-10-02 07:06:41", "1970-01-01 00:00:10"])
    def test_of_a_wrong_clock_are_rejected(self, time: str) -> None:
        log = parse(f"'{time}',0,0,0,1")
        assert (len(log.stamps), log.bad_count) == (0, 1)
        assert "wrong clock" in log.bad[0].reason

    def test_keep_their_order_whatever_it_is(self) -> None:
        log = parse(f"'2023-01-10 12:15:00',0,0,0,2\n{TIME},0,0,0,1")
        assert log.stamps.tolist() == [NOON + 900_000, NOON]


class TestPoints:
    def test_begin_in_the_fifth_column(self) -> None:
        assert values(f"{TIME},0,0x0,0x0,1.5,-0.00,3") == [[1.5, -0.0, 3]]

    def test_the_sign_of_zero_and_of_exports_stays(self) -> None:
        found = parse(f"{TIME},0,0,0,-12.5,-0.00").values
        assert found[0, 0] == -12.5
        assert math.copysign(1, found[1, 0]) == -1

    @pytest.mark.parametrize("missing", ["", "NULL", "null", " ", "'NULL'", "nan", "inf", "-inf"])
    def test_that_are_missing(self, missing: str) -> None:
        assert values(f"{TIME},0,0,0,{missing},2") == [[None, 2]]

    def test_a_trailing_comma_is_an_empty_last_point(self) -> None:
        assert values(f"{TIME},0,0,0,1,") == [[1, None]]

    def test_short_rows_are_filled_up(self) -> None:
        assert values(f"{TIME},0,0,0,1,2,3\n'2023-01-10 12:15:00',0,0,0,4") == [[1, 2, 3], [4, None, None]]

    @pytest.mark.parametrize("bad", ["abc", "1_000", "1,5x", "٣", "0x10", "1 2"])
    def test_that_are_no_numbers_spoil_their_row_alone(self, bad: str) -> None:
        log = parse(f"{TIME},0,0,0,{bad}\n'2023-01-10 12:15:00',0,0,0,4")
        assert (log.stamps.tolist(), log.bad_count) == ([NOON + 900_000], 1)
        assert log.bad[0].reason == "a value is not a number"

    def test_tabs_separate_too(self) -> None:
        assert values(f"{TIME}\t0\t0x0\t0x0\t1\t2") == [[1, 2]]

    def test_beside_an_error_are_no_values(self) -> None:
        assert values(f"{TIME},139,0,0,17.5,3") == [[None, None]]


class TestErrorsAndAlarms:
    @pytest.mark.parametrize("row", ["139", "139,,", "139,,,,,", "139,0x0,0x0,NULL,NULL", "139,0,0"])
    def test_rows_without_values_in_every_length(self, row: str) -> None:
        log = parse(f"{TIME},{row}")
        assert log.codes.tolist() == [139]
        assert not log.good.any()

    @pytest.mark.parametrize("code", ["", "x", "-1", "1.5", "139999", "٣"])
    def test_a_code_that_is_none(self, code: str) -> None:
        log = parse(f"{TIME},0,0,0,1\n{TIME},{code},0,0,1")
        assert (len(log.stamps), log.bad[0].reason) == (1, "its error code is not a number")

    def test_bitmaps_are_hexadecimal_and_may_be_long(self) -> None:
        log = parse(f"{TIME},0,0x05,0,1\n{TIME},0,0,0x10000000000000000000000000,1\n{TIME},0,zz,0x,1")
        assert dict(log.low) == {0: 5}
        assert dict(log.high) == {1: 1 << 100}

    def test_a_bitmap_longer_than_any_meter_says_nothing(self) -> None:
        assert dict(parse(f"{TIME},0,0x{'f' * 5000},0,1").low) == {}


class TestHeaders:
    def test_name_columns_with_commas_in_single_quotes(self) -> None:
        log = parse(f"{HEADER}\n{TIME},0,0x0,0x0,480,12")
        assert log.header == (Column("Voltage, Line to Line", "Volts"), Column("kWh", "kWh"))
        assert log.width == 2

    def test_in_double_quotes_and_another_spelling(self) -> None:
        head = 'time(UTC),error,lowalarm,highalarm,"Power Factor, Phase A","Real power (kW)"'
        log = parse(f"{head}\n{TIME},0,0,0,1,2")
        assert log.header == (Column("Power Factor, Phase A"), Column("Real power", "kW"))

    def test_with_tabs_over_rows_with_commas(self) -> None:
        log = parse(f"time(utc)\terror\tlow alarm\thigh alarm\tkW (kW)\n{TIME},0,0,0,5")
        assert log.header == (Column("kW", "kW"),)

    def test_after_junk(self) -> None:
        log = parse(f"Obvius logger export file\n\n{HEADER}\n{TIME},0,0,0,1,2")
        assert (len(log.header), len(log.stamps), log.bad_count) == (2, 1, 1)

    def test_the_first_row_of_a_file_without_one_is_kept(self) -> None:
        log = parse(f"{TIME},0,0,0,1")
        assert (log.header, len(log.stamps)) == ((), 1)

    def test_that_does_not_fit_its_rows_is_none(self) -> None:
        log = parse(f"time(utc),error,low alarm,high alarm,Voltage, A (V)\n{TIME},0,0,0,1")
        assert (log.header, log.header_width, log.width) == ((), 2, 1)

    def test_once_more_within_the_file_is_harmless(self) -> None:
        assert len(parse(f"{HEADER}\n{TIME},0,0,0,1,2\n{HEADER}\n{TIME},0,0,0,1,2").stamps) == 2

    def test_that_changes_within_the_file_cannot_be_read(self) -> None:
        other = HEADER.replace("kWh", "gallons")
        with pytest.raises(UnreadableError, match="header changes"):
            parse(f"{HEADER}\n{TIME},0,0,0,1,2\n{other}\n{TIME},0,0,0,1,2")


class TestLines:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\r\n \r\n"])
    def test_may_end_in_every_way(self, end: str) -> None:
        assert len(parse(end.join([f"{TIME},0,0,0,1", "'2023-01-10 12:15:00',0,0,0,2", ""])).stamps) == 2

    def test_that_are_short_are_none(self) -> None:
        assert parse(f"2023-01-10\n0,0,0\n{TIME},0,0,0,1").bad_count == 0

    @pytest.mark.parametrize("text", ["", "\n\n", HEADER])
    def test_there_may_be_none(self, text: str) -> None:
        log = parse(text)
        assert (len(log.stamps), log.bad_count, log.width) == (0, 0, 0)

    def test_none_of_which_is_a_row_is_no_log(self) -> None:
        with pytest.raises(UnreadableError, match="No line of the file"):
            parse("<html><body>503 Service Unavailable</body></html>\n" * 3)

    def test_with_more_columns_than_any_meter(self) -> None:
        with pytest.raises(UnreadableError, match="columns"):
            parse(TIME + "," * 1100)

    def test_examples_of_bad_ones_are_few(self) -> None:
        log = parse("\n".join([f"{TIME},0,0,0,1", *["this line is no row at all"] * 100]))
        assert (log.bad_count, len(log.bad)) == (100, logfile.MOST_EXAMPLES)


class TestUnpacking:
    def test_gzip_is_known_by_its_bytes(self) -> None:
        assert unpack(gzip.compress(b"abc")) == unpack(b"abc") == "abc"

    def test_members_follow_each_other(self) -> None:
        assert unpack(gzip.compress(b"abc") + gzip.compress(b"def") + bytes(8)) == "abcdef"

    def test_a_byte_order_mark_is_none_of_the_text(self) -> None:
        assert unpack(b"\xef\xbb\xbfabc") == "abc"

    def test_what_is_not_utf_8_is_latin_1(self) -> None:
        assert unpack(b"temp \xb0C") == "temp °C"

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (gzip.compress(b"abc" * 99)[:-4], "cut off"),
            (gzip.compress(b"abc")[:5], "cut off"),
            (gzip.compress(b"abc") + b"rubbish", "damaged"),
            (gzip.compress(b"abc" * 999)[:-8] + b"12345678", "damaged"),
            (b"\x1f\x8brubbish", "damaged"),
            (b"abc\0", "not text"),
            (gzip.compress(bytes(30_000_000)), "inflates"),
        ],
        ids=[
            "a cut end",
            "a cut beginning",
            "rubbish after it",
            "a wrong sum",
            "no gzip",
            "binary",
            "a bomb",
        ],
    )
    def test_what_cannot_be_read_says_why(self, body: bytes, why: str) -> None:
        with pytest.raises(UnreadableError, match=why):
            unpack(body)


def test_a_day_of_minutes_is_read_as_it_is() -> None:
    rows = [f"'2023-01-10 {n // 60:02}:{n % 60:02}:0{n % 10}',0,0x0,0x0,{n},{n / 7:.3f}" for n in range(1440)]
    log = parse("\n".join(rows))
    assert np.array_equal(log.values[0], np.arange(1440))
    assert log.stamps[1439] == NOON + 43_200_000 - 51_000
