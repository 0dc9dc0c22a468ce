"""Rows of a log that are written alike, read all at once instead of cell by cell. Pure.

Nearly every row of nearly every log is of the form of the first: a time, no error, the same empty bitmaps, as
many points. What is not of it is left to who reads row by row, and comes to the same in either way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.readings.samples import Stamps, Values

FIXED = 4
"""Columns before the first point."""
NO_ALARM = frozenset({"0", "0x0", "0x00", "0x0000", "0x00000000", ""})
"""Bitmaps as they are written when nothing is out of range."""

_FORM = re.compile(r"\A(['\"]?)\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\1,0,([^,]*),([^,]*),")
_LONG = 19  # characters of a time
_DIGITS = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]
_SIGNS = [4, 7, 13, 16]
_PLACES = np.array(
    [
        [1000, 100, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 10, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 10, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 1],
    ]
)
"""What the digits of a time count in year, month, day, hour, minute and second."""
# JSON knows fewer spellings of a number than Python, and all it knows mean the same,
_ZEROS = ("-0,", "-0]", "-0 ", "-0\t")
"""but for this one, which is a whole number there, and those have no zero below zero."""
_decode = msgspec.json.Decoder(list[float | None]).decode


@dataclass(frozen=True, eq=False)
class Rows:
    """n rows: `places` (n,) of their lines, ascending, `stamps` (n,) Unix ms, `values` (n, width) or NaN."""

    places: Stamps
    stamps: Stamps
    values: Values


NONE = Rows(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 0)))


def read(lines: Sequence[str], *, oldest: int, newest: int) -> Rows:
    """The rows among `lines` that are written as the first row is, stamped within [oldest, newest] ms."""
    form = next((found for line in lines if (found := _FORM.match(line))), None)
    if form is None or not {form[2], form[3]} <= NO_ALARM:
        return NONE
    quote, begins, commas = len(form[1]), form.end(), form.string.count(",")
    lead, tail = form[1], form[0][quote + _LONG :]
    places = [
        place
        for place, line in enumerate(lines)
        if line[quote + _LONG : begins] == tail and line[:quote] == lead and line.count(",") == commas
    ]
    stamps, good = _stamps([lines[place][quote : quote + _LONG] for place in places])
    good &= (stamps >= oldest) & (stamps <= newest)
    if not good.all():
        places = np.array(places)[good].tolist()
    values = _values([lines[place][begins:] for place in places], commas + 1 - FIXED)
    return NONE if values is None else Rows(np.array(places, np.int64), stamps[good], values)


def _stamps(times: Sequence[str]) -> tuple[Stamps, NDArray[np.bool_]]:
    """Unix ms of times of 19 characters, and which of them there are."""
    letters = np.frombuffer("".join(times).encode("ascii", "replace"), np.uint8).reshape(-1, _LONG)
    digits = letters[:, _DIGITS] - ord("0")
    good = (digits <= 9).all(axis=1)  # below 0 an unsigned one is a large one
    good &= (letters[:, _SIGNS] == [ord(sign) for sign in "--::"]).all(axis=1)
    good &= (letters[:, 10] == ord(" ")) | (letters[:, 10] == ord("T"))
    year, month, day, hour, minute, second = _PLACES @ np.where(good[:, None], digits, 1).T.astype(np.int64)
    good &= (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    firsts, ends = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]")
    good &= day <= (ends - firsts).astype(np.int64)
    days = firsts.astype(np.int64) + day - 1
    return ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000, good


def _values(rows: Sequence[str], width: int) -> Values | None:
    """The points (n, width) of rows of as many cells each; None where one is no number or spelt oddly."""
    cells = f"[{','.join(rows)}]"
    if "-0" in cells and any(spelt in cells for spelt in _ZEROS):
        return None
    numbers = _numbers(cells) or _numbers(_with_nulls(cells))
    if numbers is None or len(numbers) != len(rows) * width:
        return None
    return _array(numbers).reshape(len(rows), width)


def _array(numbers: list[float | None]) -> Values:
    """As floats, None as NaN. Nearly always there is none, and then it is quicker so."""
    try:
        return np.fromiter(numbers, np.float64, len(numbers))
    except TypeError:
        return np.array(numbers, np.float64)


def _numbers(cells: str) -> list[float | None] | None:
    try:
        return _decode(cells)
    except msgspec.DecodeError:
        return None


def _with_nulls(cells: str) -> str:
    """Cells that are empty or say NULL, as JSON says it."""
    text = cells.replace("NULL", "null").replace(",,", ",null,").replace(",,", ",null,")
    text = "[null" + text[1:] if text.startswith(("[,", "[]")) else text
    return text[:-1] + "null]" if text.endswith(",]") else text
