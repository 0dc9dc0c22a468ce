"""Letting the sides of a comparison take turns, and what their medians say."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apps.desk.bench.results import Goal, Row, row

OURS = ""
"""The side that is measured; all others are peers, by their names."""

Act = Callable[[], Any]


def in_turn(sides: Mapping[str, Act], rounds: int) -> dict[str, list[float]]:
    """Seconds that each side took, in each round."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, act in sides.items():
            started = time.perf_counter()
            act()
            times[name].append(time.perf_counter() - started)
    return times


def compared(
    bench: str, metric: str, times: Mapping[str, list[float]], goals: Mapping[str, Goal]
) -> Iterator[Row]:
    """A row, in ms, for each peer."""
    medians: dict[str, float] = {name: statistics.median(own) * 1000 for name, own in times.items()}
    ours = medians.pop(OURS)
    for name, theirs in medians.items():
        yield row(bench, metric, ours, "ms", against=name, theirs=theirs, goal=goals.get(name))
