"""CSV as spreadsheets write and read it."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import User
from apps.houses import tables
from apps.houses.models import House
from apps.houses.mutations import create_house
from apps.houses.tables import Fault, FaultsError

COLUMNS = ("name", "label", "size")


def faults(content: bytes) -> list[Fault]:
    with pytest.raises(FaultsError) as failure:
        tables.read(content, COLUMNS)
    return failure.value.faults


def test_what_is_written_is_read_again() -> None:
    cells = [["a", "x, “y”\nz", "-5"], ["b", "", "=1+1"], ["c", "@home", "'=kept"]]
    rows = tables.read(tables.write(COLUMNS, cells).encode(), COLUMNS)
    assert [list(row.values()) for _, row in rows] == cells


def test_no_text_is_calculated_by_a_spreadsheet() -> None:
    written = tables.write(COLUMNS, [["=cmd()", "+1", -5.5]])
    assert written.splitlines()[1] == "'=cmd(),'+1,-5.5"


def test_truth_and_nothing_are_words() -> None:
    assert tables.write(COLUMNS, [[True, False, None]]).splitlines()[1] == "yes,no,"


@pytest.mark.parametrize(
    "content", [b"name;size\na;1\n", b"name\tsize\r\na\t1\r\n", b"\xef\xbb\xbfname,size\na, 1 \n"]
)
def test_spreadsheets_of_all_countries_are_read(content: bytes) -> None:
    assert tables.read(content, COLUMNS) == [(2, {"name": "a", "size": "1"})]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    content = b'name,label\n\na,"two\nlines"\n,,\nb\n'
    assert [line for line, _ in tables.read(content, COLUMNS)] == [4, 6]


@pytest.mark.parametrize(
    ("content", "line", "column", "message"),
    [
        (b"", 1, "", "columns there can be"),
        (b"name,colour\n", 1, "colour", "columns there can be"),
        (b"name,name\n", 1, "", "twice"),
        (b"name\na,b\n", 2, "", "more cells"),
        (b"name\n\xff\n", 0, "", "UTF-8"),
        (b'name\n"a\n', 2, "", "no CSV"),
        (b"x" * (tables.MOST_BYTES + 1), 0, "", "bytes"),
        (b"name\n" + b"a\n" * (tables.MOST_ROWS + 1), 0, "", "rows"),
    ],
)
def test_a_file_that_is_none_is_refused(content: bytes, line: int, column: str, message: str) -> None:
    (fault,) = faults(content)
    assert (fault.line, fault.column) == (line, column)
    assert message in fault.message


@pytest.mark.django_db
class TestSaving:
    def test_all_that_is_wrong_is_told_and_nothing_saved(self, admin: User) -> None:
        def save(row: tables.Row) -> None:
            create_house(by=admin, name=row["name"], time_zone=row["zone"])

        rows = [
            (2, {"name": "good", "zone": "UTC"}),
            (3, {"name": "b d", "zone": "UTC"}),
            (5, {"name": "c", "zone": "X"}),
        ]
        with pytest.raises(FaultsError) as failure:
            tables.save_all(rows, save)
        assert [(fault.line, fault.column) for fault in failure.value.faults] == [
            (3, "name"),
            (5, "time_zone"),
        ]
        assert not House.objects.exists()
        assert tables.save_all(rows[:1], save) == 1


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("No", False), ("", None)])
def test_yes_and_no(text: str, value: bool | None) -> None:
    assert tables.yes_or_no({"x": text}, "x") is value


def test_neither_yes_nor_no() -> None:
    with pytest.raises(ValidationError):
        tables.yes_or_no({"x": "maybe"}, "x")


@pytest.mark.parametrize(("text", "value"), [("-1.5", -1.5), ("", None)])
def test_numbers(text: str, value: float | None) -> None:
    assert tables.number({"x": text}, "x") == value


def test_no_number() -> None:
    with pytest.raises(ValidationError):
        tables.number({"x": "north"}, "x")
