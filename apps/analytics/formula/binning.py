"""The result of a formula in bins of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from apps.analytics.formula.evaluation import Evaluation
from apps.analytics.formula.shapes import Shape
from apps.readings import integration
from apps.readings.samples import Stamps, Values

AGGREGATES = ("mean", "min", "max", "sum", "count", "integral")


@dataclass(frozen=True, eq=False)
class Bins:
    """What is known of a result in m bins between neighbouring `edges` (m + 1,) ms. All others are (m,).

    `integral` (unit·h) and `covered` (ms) are of signals. The rest is of the values within each bin, of which
    `count` are not missing: `sum` is 0 where there is none, the others are NaN; `first` and `last` are
    stamps.
    """

    edges: Stamps
    integral: Values
    covered: Stamps
    count: Stamps
    sum: Values
    least: Values
    most: Values
    first: Values
    last: Values


def binned(evaluation: Evaluation, edges: Stamps) -> Bins:
    """The result of a signal or of events in bins between neighbouring `edges`, which increase strictly."""
    points = evaluation.points(int(edges[0]), int(edges[-1])).present()
    if evaluation.shape is Shape.EVENTS:
        integral, covered = np.zeros(edges.size - 1), np.zeros(edges.size - 1, np.int64)
    else:
        integral, covered = integration.integrate_stretches(evaluation.stretches, edges)
    bounds = np.searchsorted(points.stamps, edges)
    return Bins(
        edges,
        integral,
        covered,
        np.diff(bounds),
        _reduced(np.add, points.values, bounds, 0.0),
        _reduced(np.minimum, points.values, bounds, np.nan),
        _reduced(np.maximum, points.values, bounds, np.nan),
        _reduced(np.minimum, points.stamps.astype(np.float64), bounds, np.nan),
        _reduced(np.maximum, points.stamps.astype(np.float64), bounds, np.nan),
    )


def joined(bins: Bins, edges: Stamps) -> Bins:
    """Bins put together to longer ones: each of `edges` is one of theirs."""
    places = np.searchsorted(bins.edges, edges)
    if places.size == bins.edges.size:
        return bins
    return Bins(
        edges,
        np.add.reduceat(bins.integral, places[:-1]),
        np.add.reduceat(bins.covered, places[:-1]),
        np.add.reduceat(bins.count, places[:-1]),
        np.add.reduceat(bins.sum, places[:-1]),
        np.fmin.reduceat(bins.least, places[:-1]),
        np.fmax.reduceat(bins.most, places[:-1]),
        np.fmin.reduceat(bins.first, places[:-1]),
        np.fmax.reduceat(bins.last, places[:-1]),
    )


def concatenated(parts: list[Bins]) -> Bins:
    """Bins that follow each other without a gap as one."""
    columns = ("integral", "covered", "count", "sum", "least", "most", "first", "last")
    edges = np.concatenate([parts[0].edges, *(part.edges[1:] for part in parts[1:])])
    return Bins(edges, *(np.concatenate([getattr(part, name) for part in parts]) for name in columns))


def nothing(edges: Stamps) -> Bins:
    """Bins in which there is nothing."""
    zeros, none = np.zeros(edges.size - 1), np.full(edges.size - 1, np.nan)
    return Bins(edges, zeros, zeros.astype(np.int64), zeros.astype(np.int64), zeros, none, none, none, none)


def aggregated(bins: Bins, aggregate: str, shape: Shape) -> Values:
    """One of AGGREGATES of each bin, NaN where nothing is known; only a count of nothing is 0.

    The mean of a signal is its integral over the covered time, that of events the mean of their values.
    Events have no integral: ValueError.
    """
    if shape is Shape.EVENTS and aggregate == "integral":
        raise ValueError("Events happen at instants and have no integral.")
    if shape is Shape.EVENTS and aggregate == "mean":
        return _where(bins.count > 0, bins.sum / np.maximum(bins.count, 1))
    return _AGGREGATES[aggregate](bins)


_AGGREGATES: Mapping[str, Callable[[Bins], Values]] = MappingProxyType(
    {
        "mean": lambda bins: integration.mean(bins.integral, bins.covered),
        "integral": lambda bins: _where(bins.covered > 0, bins.integral),
        "sum": lambda bins: _where(bins.count > 0, bins.sum),
        "count": lambda bins: bins.count.astype(np.float64),
        "min": lambda bins: bins.least,
        "max": lambda bins: bins.most,
    }
)


def coverage(bins: Bins) -> Values:
    """The part of each bin, 0 to 1, over which a signal is defined."""
    return integration.coverage(bins.covered, bins.edges)


def _where(known: NDArray[np.bool_], values: Values) -> Values:
    return np.where(known, values, np.nan)


def _reduced(rule: np.ufunc, values: Values, bounds: NDArray[np.intp], empty: float) -> Values:
    found = np.full(bounds.size - 1, empty)
    filled = np.diff(bounds) > 0
    if filled.any():
        found[filled] = rule.reduceat(values[: bounds[-1]], bounds[:-1][filled])
    return found
