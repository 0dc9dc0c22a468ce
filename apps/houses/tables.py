"""CSV for spreadsheets: written for them, and read back with each fault told by its line and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

Row = Mapping[str, str]

MOST_BYTES = 2_000_000
MOST_ROWS = 5_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would calculate instead of show; such texts are written behind an apostrophe."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file; `line` counts from 1 and is 0 for the file itself, `column` may be empty."""

    line: int
    column: str
    message: str


class FaultsError(Exception):
    """A file that cannot be taken as it is; nothing of it was."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = list(faults)


def write(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The text of a file: a line of column names, then the rows. None is empty, True and False yes and no."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def read(content: bytes, columns: Sequence[str]) -> list[tuple[int, Row]]:
    """The rows of a file with the number of their line; only `columns` may be in it. Raises FaultsError.

    Commas, semicolons and tabulators separate, as the spreadsheets of different countries write them.
    """
    if len(content) > MOST_BYTES:
        raise _unusable(f"The file has more than {MOST_BYTES:,} bytes.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unusable("The file is not UTF-8 text.") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        return list(_rows(reader, columns))
    except csv.Error as error:
        raise FaultsError([Fault(reader.line_num, "", f"This is no CSV: {error}.")]) from None


def save_all(rows: Iterable[tuple[int, Row]], save: Callable[[Row], object]) -> int:
    """Save all rows or, with FaultsError for all that is wrong with them, none; returns how many."""
    faults: list[Fault] = []
    saved = 0
    with transaction.atomic():
        for line, row in rows:
            try:
                with transaction.atomic():
                    save(row)
                saved += 1
            except ValidationError as error:
                faults += _faults(line, error)
        if faults:
            raise FaultsError(faults)
    return saved


def yes_or_no(row: Row, column: str) -> bool | None:
    """The value of a column of yes and no; None where it is empty or missing. Raises ValidationError."""
    text = row.get(column, "").lower()
    if text not in ("", "yes", "no"):
        raise ValidationError({column: "Write yes or no."})
    return {"yes": True, "no": False}.get(text)


def number(row: Row, column: str) -> float | None:
    """The value of a column of numbers; None where it is empty or missing. Raises ValidationError."""
    text = row.get(column, "")
    try:
        return float(text) if text else None
    except ValueError:
        raise ValidationError({column: "This is no number."}) from None


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return f"'{value}" if _calculates(value) else value
    return value


def _text(cell: str) -> str:
    text = cell.strip()
    return text[1:] if text.startswith("'") and _calculates(text) else text


def _calculates(text: str) -> bool:
    """Whether it is a formula, perhaps behind apostrophes of its own."""
    return text.lstrip("'").startswith(FORMULA)


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _rows(reader: Iterator[list[str]], columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
    names = [name.strip() for name in next(reader, [])]
    _check_names(names, columns)
    count = 0
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        line: int = reader.line_num  # type: ignore[attr-defined]
        if count > MOST_ROWS:
            raise _unusable(f"The file has more than {MOST_ROWS:,} rows.")
        if len(cells) > len(names):
            raise FaultsError([Fault(line, "", "This line has more cells than there are columns.")])
        yield line, dict(zip(names, map(_text, cells), strict=False))


def _check_names(names: Sequence[str], columns: Sequence[str]) -> None:
    known = ", ".join(columns)
    unknown = [name for name in names if name not in columns]
    if unknown or not names:
        raise FaultsError([Fault(1, ", ".join(unknown), f"The columns there can be are {known}.")])
    if len(set(names)) < len(names):
        raise FaultsError([Fault(1, "", "A column is there twice.")])


def _faults(line: int, error: ValidationError) -> list[Fault]:
    told: Mapping[str, Sequence[ValidationError]] = error.update_error_dict({})
    return [
        Fault(line, "" if column == "__all__" else column, message)
        for column, errors in told.items()
        for one in errors
        for message in one.messages
    ]


def _unusable(message: str) -> FaultsError:
    return FaultsError([Fault(0, "", message)])
