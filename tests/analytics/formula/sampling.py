"""Short ways to write signals, and what a formula must give, worked out one millisecond at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from math import isnan, nan

import numpy as np
from hypothesis import strategies as st

from apps.analytics.formula import Field, parse
from apps.analytics.formula.evaluation import Evaluation, Inputs, Points
from apps.analytics.formula.nodes import Events
from apps.analytics.formula.signals import Signal, Sparse

GAP = 8


def signal(
    samples: Mapping[int, float],
    kind: str = "gauge",
    lengths: list[float] | None = None,
    newest: int | None = None,
    max_gap: int = GAP,
) -> Signal:
    return Signal(
        kind,
        np.array(list(samples), np.int64),
        np.array(list(samples.values()), np.float64),
        max_gap,
        None if lengths is None else np.array(lengths, np.float64),
        newest,
    )


def sparse(*events: tuple[int, float]) -> Sparse:
    stamps = [stamp for stamp, _ in events]
    ordinals = [stamps[:place].count(stamp) for place, stamp in enumerate(stamps)]
    values = np.array([value for _, value in events], np.float64)
    return Sparse(np.array(stamps, np.int64), np.array(ordinals, np.int64), values)


def inputs(**signals: Signal) -> Inputs:
    """`a=…` is what formulas call `a.x`."""
    return Inputs({Field(name, "x"): one for name, one in signals.items()})


def evaluated(text: str, given: Inputs, events: Mapping[Events, Sparse] | None = None) -> Evaluation:
    return Evaluation(parse(text), Inputs(given.signals, events or {}))


def as_dict(points: Points) -> dict[int, float | None]:
    """Missing values as None, which equals itself."""
    values = [None if isnan(value) else value for value in points.values.tolist()]
    return dict(zip(points.stamps.tolist(), values, strict=True))


def at(one: Signal, stamp: int) -> float:
    """The value of a signal at a stamp, by the rules of its kind."""
    stamps, values = one.stamps.tolist(), one.values.tolist()
    if stamp in stamps:
        return values[stamps.index(stamp)]
    before = bisect_right(stamps, stamp) - 1
    after = bisect_left(stamps, stamp)
    if one.kind == "gauge":
        if before < 0 or after == len(stamps) or stamps[after] - stamps[before] > one.max_gap:
            return nan
        passed = (stamp - stamps[before]) / (stamps[after] - stamps[before])
        return values[before] + (values[after] - values[before]) * passed
    if one.kind == "interval":
        return values[after] if after < len(stamps) and stamp > _begin(one, after) else nan
    held = before >= 0 and stamp < stamps[before] + one.max_gap and stamp <= one.end
    return values[before] if held else nan


def sides(one: Signal, stamp: int) -> tuple[float, float]:
    """The values just after `stamp` and just before the next millisecond."""
    stamps, values = one.stamps.tolist(), one.values.tolist()
    before = bisect_right(stamps, stamp) - 1
    if one.kind == "gauge":
        if before < 0 or before + 1 == len(stamps) or stamps[before + 1] - stamps[before] > one.max_gap:
            return nan, nan
        rise = (values[before + 1] - values[before]) / (stamps[before + 1] - stamps[before])
        first = values[before] + rise * (stamp - stamps[before])
        return first, first + rise
    if one.kind == "interval":
        covered = before + 1 < len(stamps) and stamp >= _begin(one, before + 1)
        return (values[before + 1],) * 2 if covered else (nan, nan)
    held = before >= 0 and stamp < stamps[before] + one.max_gap and stamp < one.end
    return (values[before],) * 2 if held else (nan, nan)


def _begin(one: Signal, place: int) -> int:
    stamps = one.stamps.tolist()
    previous = stamps[place - 1] if place else None
    if one.lengths is None or isnan(one.lengths[place]):
        near = previous is not None and stamps[place] - previous <= one.max_gap
        return previous if near else stamps[place]  # type: ignore[return-value]
    begin = stamps[place] - round(one.lengths[place])
    return begin if previous is None else max(begin, previous)


@st.composite
def signals(draw: st.DrawFn, kinds: tuple[str, ...] = ("gauge", "interval", "step")) -> Signal:
    """Signals of the first 60 ms with gaps, jumps and integer values; small max_gaps make gaps likely."""
    kind = draw(st.sampled_from(kinds))
    stamps = sorted(draw(st.sets(st.integers(0, 60), max_size=20)))
    values = draw(st.lists(st.integers(-9, 9), min_size=len(stamps), max_size=len(stamps)))
    lengths = None
    if kind == "interval" and draw(st.booleans()):
        known = st.one_of(st.just(nan), st.integers(0, 12).map(float))
        lengths = draw(st.lists(known, min_size=len(stamps), max_size=len(stamps)))
        lengths = [min(length, float(stamp)) for length, stamp in zip(lengths, stamps, strict=True)]
    return signal(
        dict(zip(stamps, map(float, values), strict=True)),
        kind,
        lengths,
        draw(st.one_of(st.none(), st.integers(0, 70))),
        draw(st.integers(1, 12)),
    )
