"""What is wrong with a formula, for the person who writes it."""

from __future__ import annotations


class FormulaError(ValueError):
    """A formula that cannot be used.

    `message` says what is wrong and what to do. `column` counts characters from 1, over line breaks too; it
    is None where the fault has no place in the text itself, such as a cycle among items. `expected` says what
    could stand at the column, in words; it is empty where the grammar is not at fault.
    """

    def __init__(self, message: str, column: int | None = None, expected: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.expected = expected

    def __str__(self) -> str:
        return self.message if self.column is None else f"Column {self.column}: {self.message}"
