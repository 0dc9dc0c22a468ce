"""Log files: `time, error, low alarm, high alarm, point 0, point 1, …`, a row for each poll of a meter. Pure.

Stamps are UTC and mark the end of what is averaged. Rows may come in any order, twice, too short or too long,
with or without a header, and among them rows that tell of an error or an event instead of values.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from apps.meters.acquisuite import alike, codes
from apps.meters.acquisuite.alike import FIXED, NO_ALARM
from apps.meters.acquisuite.unpacking import UnreadableError
from apps.readings.samples import Stamps, Values

MOST_POINTS = 1024
SHORTEST = 16
"""Characters; blank and shorter lines are none, as the vendor's own receiver has it."""
OLDEST = 946_684_800_000  # 2000-01-01 UTC: an older stamp is that of a clock whose battery died
MOST_EXAMPLES = 5
NAME_LENGTH = 120
_MOST_ALARM_DIGITS = MOST_POINTS // 4 + 2
_TIME = re.compile(r"\A(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?(?:Z|\+00:00)?\Z")
_NAME_AND_UNIT = re.compile(r"\A(.*?)\s*\(([^()]*)\)\s*\Z", re.DOTALL)
_NULL = "NULL"


@dataclass(frozen=True)
class Column:
    """A point as a header names it."""

    name: str
    unit: str = ""


@dataclass(frozen=True)
class Bad:
    """A line that is no row, and why. Lines count from 1."""

    line: int
    reason: str


@dataclass(eq=False)
class LogFile:
    """The rows of a file, n of them, and what is wrong with the others.

    `stamps` (n,) Unix ms; `codes` (n,) the error column; `values` (width, n), NaN where there is none, and in
    all of a row that is not good; `low` and `high` the bitmaps that are not zero, by row. `header` is empty
    where the file has none, or one that does not fit its rows, of which `header_width` then tells the size.
    """

    stamps: Stamps
    codes: NDArray[np.int64]
    values: Values
    low: Mapping[int, int] = field(default_factory=dict)
    high: Mapping[int, int] = field(default_factory=dict)
    header: tuple[Column, ...] = ()
    header_width: int = 0
    bad: Sequence[Bad] = ()
    bad_count: int = 0

    @property
    def width(self) -> int:
        """How many points the widest row has."""
        return int(self.values.shape[0])

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which rows (n,) carry values."""
        good: NDArray[np.bool_] = self.codes == codes.GOOD
        return good


class _BadRowError(ValueError):
    """A line that is no row; the text says why."""


def split(text: str) -> list[str]:
    """The lines of a text, however they end. Cheap: it looks at no cell.

    Raises UnreadableError for more columns than any meter has.
    """
    found = (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text).split("\n")
    wide = [line for line in found if len(line) > MOST_POINTS]
    most = max((max(line.count(","), line.count("\t")) for line in wide), default=0)
    if most + 1 > FIXED + MOST_POINTS:
        raise UnreadableError(f"The file has {most + 1:,} columns; at most {FIXED + MOST_POINTS:,} are read.")
    return found


def parse(text: str, *, newest: int) -> LogFile:
    """The rows of a file, as `read` has them. Raises UnreadableError."""
    return read(split(text), newest=newest)


def read(given: Sequence[str], *, newest: int) -> LogFile:
    """The rows in the lines of a file. Stamps after `newest` ms, like those before 2000, are a wrong clock's.

    Raises UnreadableError when no line of it is a row and it is not empty, or its header changes within it.
    """
    found = alike.read(given, oldest=OLDEST, newest=newest)
    reader = _Reader(newest, found.places[0].item() if found.places.size else len(given))
    done = set(found.places.tolist())
    for place, line in enumerate(given):
        if place not in done and len(line) >= SHORTEST and not line.isspace():
            reader.take(place, line)
    if reader.bad_count and not (done or reader.stamps or reader.dated or reader.header):
        raise UnreadableError(f"No line of the file is a row of a log: {reader.bad[0].reason}.")
    return reader.log(found)


@dataclass
class _Reader:
    """Takes in lines, one after another; `begins` is the place of the first row that was read already."""

    newest: int
    begins: int
    header: tuple[Column, ...] = ()
    places: list[int] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    points: list[list[float]] = field(default_factory=list)
    low: dict[int, int] = field(default_factory=dict)
    high: dict[int, int] = field(default_factory=dict)
    bad: list[Bad] = field(default_factory=list)
    bad_count: int = 0
    dated: bool = False
    days: dict[str, int] = field(default_factory=dict)

    def take(self, place: int, line: str) -> None:
        """Add the row, or the header, or the fault that the line is."""
        if (header := _header(line)) is not None:
            self._head(place, header)
            return
        try:
            self._row(place, line)
        except _BadRowError as error:
            self.bad_count += 1
            if len(self.bad) < MOST_EXAMPLES:
                self.bad.append(Bad(place + 1, str(error)))

    def _head(self, place: int, header: tuple[Column, ...]) -> None:
        if self.header and (self.stamps or place > self.begins) and header != self.header:
            raise UnreadableError("The header changes within the file.")
        self.header = header

    def _row(self, place: int, line: str) -> None:
        cells = line.split("," if "," in line else "\t")
        stamp = self._stamp(cells[0].strip().strip("'\""))
        code = _code(cells[1] if len(cells) > 1 else "")
        if not OLDEST <= stamp <= self.newest:
            raise _BadRowError("its time is that of a wrong clock")
        # Values beside an error are what the logger had from before; they are no readings.
        if code == codes.GOOD:
            points = _points(cells[FIXED:], plain=line.isascii() and "_" not in line)
        else:
            points = [math.nan] * max(0, len(cells) - FIXED)
        self._alarms(len(self.stamps), cells)
        self.places.append(place)
        self.stamps.append(stamp)
        self.codes.append(code)
        self.points.append(points)

    def _stamp(self, text: str) -> int:
        """Unix ms. Most lines of a file share a day, of which the number is remembered."""
        if len(text) == 19 and (midnight := self.days.get(text[:11])) is not None:
            clock = text[11:13] + text[14:16] + text[17:]
            if text[13] == text[16] == ":" and clock.isascii() and clock.isdigit():
                hour, minute, second = int(clock[:2]), int(clock[2:4]), int(clock[4:])
                if hour < 24 and minute < 60 and second < 60:
                    return midnight + (hour * 3600 + minute * 60 + second) * 1000
        stamp, midnight = _time(text)
        self.dated = True
        if len(text) == 19:
            self.days[text[:11]] = midnight
        return stamp

    def _alarms(self, row: int, cells: list[str]) -> None:
        if len(cells) >= FIXED:
            for bitmaps, cell in ((self.low, cells[2]), (self.high, cells[3])):
                if cell not in NO_ALARM and (bitmap := _bitmap(cell)):
                    bitmaps[row] = bitmap

    def log(self, others: alike.Rows) -> LogFile:
        """All that was taken in, and the rows that were read already, in the order of their lines."""
        width = max(others.values.shape[1], max(map(len, self.points), default=0))
        count = len(self.places) + len(others.places)
        fits = len(self.header) == width or not count
        order = np.argsort(np.append(others.places, np.array(self.places, np.int64)), kind="stable")
        rows = dict(zip(order.tolist(), range(count), strict=True)) if self.low or self.high else {}
        return LogFile(
            stamps=np.append(others.stamps, np.array(self.stamps, np.int64))[order],
            codes=np.append(np.zeros(len(others.places), np.int64), np.array(self.codes, np.int64))[order],
            values=np.ascontiguousarray(_table(others.values, self.points, width)[order].T),
            low={rows[len(others.places) + row]: bitmap for row, bitmap in self.low.items()},
            high={rows[len(others.places) + row]: bitmap for row, bitmap in self.high.items()},
            header=self.header if fits else (),
            header_width=len(self.header),
            bad=self.bad,
            bad_count=self.bad_count,
        )


def _table(first: Values, rows: list[list[float]], width: int) -> Values:
    """`first` and then the rows, short ones filled up with NaN: (n, width)."""
    table = np.full((len(first) + len(rows), width), np.nan)
    table[: len(first), : first.shape[1]] = first
    for place, row in enumerate(rows, start=len(first)):
        table[place, : len(row)] = row
    table[~np.isfinite(table)] = np.nan
    return table


def _time(text: str) -> tuple[int, int]:
    """Unix ms of a time and of the midnight before it."""
    match = _TIME.match(text) if text.isascii() else None
    if match is None:
        raise _BadRowError("it does not begin with a time")
    try:
        moment = datetime(*map(int, match.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        raise _BadRowError("there is no such time") from None
    midnight = moment.replace(hour=0, minute=0, second=0)
    return round(moment.timestamp()) * 1000, round(midnight.timestamp()) * 1000


def _code(cell: str) -> int:
    if cell == "0":
        return codes.GOOD
    text = cell.strip().strip("'\"")
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise _BadRowError("its error code is not a number")
    return int(text)


def _bitmap(cell: str) -> int:
    """Bit n is point n out of range. What is no bitmap says nothing."""
    text = cell.strip().strip("'\"")
    try:
        return int(text, 16) if text.isalnum() and len(text) <= _MOST_ALARM_DIGITS else 0
    except ValueError:
        return 0


def _points(cells: list[str], *, plain: bool) -> list[float]:
    """The values; `plain` tells that none holds an underscore or a foreign digit, which Python would read."""
    if not plain:
        raise _BadRowError("a value is not a number")
    try:
        return list(map(float, cells))
    except ValueError:
        return [_value(cell) for cell in cells]


def _value(cell: str) -> float:
    text = cell.strip().strip("'\"").strip()
    if not text or text.upper() == _NULL:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise _BadRowError("a value is not a number") from None


def _header(line: str) -> tuple[Column, ...] | None:
    """The columns that a line names; None where it is no header."""
    if not line.lstrip(" '\"").lower().startswith("time"):
        return None
    cells = _cells(line)
    return tuple(_column(cell) for cell in cells[FIXED:]) if len(cells) >= FIXED else None


def _cells(line: str) -> list[str]:
    """Names hold commas and stand in quotes of one kind or the other, so the kind is looked at first."""
    delimiter = "\t" if line.count("\t") > line.count(",") else ","
    quote = "'" if line.count("'") > line.count('"') else '"'
    return next(csv.reader([line], delimiter=delimiter, quotechar=quote, skipinitialspace=True))


def _column(cell: str) -> Column:
    text = " ".join(cell.split())
    match = _NAME_AND_UNIT.match(text)
    name, unit = (match[1], match[2].strip()) if match else (text, "")
    return Column(name[:NAME_LENGTH], unit[:NAME_LENGTH])
