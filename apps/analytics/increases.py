"""By how much formulas of registers advance."""

from __future__ import annotations

import numpy as np

from apps.analytics.formula import Field, FormulaError, identifier
from apps.analytics.formula.linear import Factors, factors
from apps.analytics.inputs import Bound
from apps.readings import bins
from apps.readings.models import Kind, Series
from apps.readings.rollups import Columns
from apps.readings.samples import Stamps, Values


def increases(
    bound: Bound, *, start: int, end: int, every: str | None = None
) -> tuple[Stamps, Values, Values]:
    """What `bound` advances by in each bin that [start, end) ms touches, or without `every` in the range.

    Answers, (n,) each: where bins begin (ms), the increase, and the coverage. The increase is the sum of what
    the registers advance by, with gaps, resets and the decisions of operators seen to, each times what the
    formula multiplies it with. It is missing where that of any is, and covered as the one covered least.
    Raises FormulaError for a formula that does more than add, subtract and scale registers.
    """
    own = registers(bound)
    found = _columns([bound.series[field] for field in own], bound.house.time_zone, start, end, every)
    columns = {field: found[bound.series[field].pk] for field in own}
    total = np.sum([factor * _advances(columns[field]) for field, factor in own.items()], axis=0)
    coverage = np.min([one.coverage for one in columns.values()], axis=0)
    return next(iter(columns.values())).edges[:-1], total, coverage


def registers(bound: Bound) -> Factors:
    """By what `bound` multiplies each of its registers. Raises FormulaError where it does something else."""
    own = factors(bound.node)
    if not own:
        raise FormulaError("Only formulas that add, subtract and scale registers have an increase.")
    for field in own:
        _check(field, bound.series[field])
    return own


def _check(field: Field, series: Series) -> None:
    if series.kind != Kind.COUNTER:
        name = identifier(field.source, field.field)
        text = f"“{name}” is no register, so it has no increase; ask for “integral”."
        raise FormulaError(text, field.column)


def _columns(series: list[Series], zone: str, start: int, end: int, every: str | None) -> dict[int, Columns]:
    if every is None:
        return bins.columns(series, np.array([start, end], np.int64))
    names = ("covered", "increase")
    return bins.binned(series, zone=zone, every=every, start=start, end=end, names=names)


def _advances(columns: Columns) -> Values:
    if columns.increase is None:
        return np.full(len(columns), np.nan)
    return columns.increase
