"""What a bench has to say: one row per metric and peer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec


class BenchError(Exception):
    """The bench cannot run, or its sides do not hold the same data; the text is a sentence."""


@dataclass(frozen=True)
class Goal:
    """An upper bound of a row's ratio or value."""

    limit: float
    of: Literal["ratio", "value"] = "ratio"

    def __str__(self) -> str:
        return f"{self.of} <= {self.limit:.3g}"

    def is_met(self, value: float, ratio: float | None) -> bool:
        bounded = value if self.of == "value" else ratio
        return bounded is not None and bounded <= self.limit


@dataclass(frozen=True)
class Row:
    """One measured value, beside that of a peer in the same run. A row without a goal counts as met."""

    bench: str
    metric: str
    value: float
    unit: str
    against: str | None
    ratio: float | None
    goal: str
    met: bool

    def as_dict(self) -> dict[str, Any]:
        """As it is written to a file of results."""
        return asdict(self)


def row(
    bench: str,
    metric: str,
    value: float,
    unit: str,
    *,
    against: str | None = None,
    theirs: float | None = None,
    goal: Goal | None = None,
) -> Row:
    """A row; `theirs` is the peer's value of the same metric, and the ratio is ours ÷ theirs."""
    ratio = None if theirs is None else value / theirs
    met = goal is None or goal.is_met(value, ratio)
    return Row(bench, metric, value, unit, against, ratio, str(goal or ""), met)


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows as a JSON list."""
    text = msgspec.json.format(msgspec.json.encode([one.as_dict() for one in rows]))
    path.write_bytes(text + b"\n")


def table(rows: Sequence[Row]) -> str:
    """The rows for a terminal, in columns."""
    cells: list[tuple[str, ...]] = [("bench", "metric", "value", "unit", "against", "ratio", "goal", "")]
    cells += [_cells(one) for one in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(line.rstrip() for line in lines)


def _cells(one: Row) -> tuple[str, ...]:
    ratio = "" if one.ratio is None else f"{one.ratio:.3g}"
    verdict = "" if not one.goal else "met" if one.met else "MISSED"
    value = f"{one.value:,.0f}" if one.value >= 1000 else f"{one.value:.3g}"
    return one.bench, one.metric, value, one.unit, one.against or "", ratio, one.goal, verdict
