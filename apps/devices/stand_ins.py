"""What stands in for a role that no device of a house measures: a house of meters has cards and a chart too.

What that is only a layer above knows, which registers a function here when Django starts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from apps.houses.models import House

Means = Callable[[int, int], NDArray[np.float64]]
"""Means of the 5-minute bins that cover [start, end) ms, NaN where missing."""


@dataclass(frozen=True)
class StandIn:
    """The power of a role in kW and the house's convention, or the state of charge in per cent.

    `value` and the stamp (ms) of the oldest reading in it are None where something was never heard of.
    `cadence` is in seconds. `silent` when what it comes from says nothing for longer than it is used to.
    `version` differs whenever any value of today does.
    """

    role: str
    name: str
    value: float | None
    stamp: int | None
    cadence: float
    silent: bool
    version: str
    means: Means = field(repr=False, compare=False)


Find = Callable[[House, Collection[str], datetime], Sequence[StandIn]]

_finders: list[Find] = []


def register(find: Find) -> None:
    """Ask `find` for stand-ins of the roles that no device has; at most one of each role."""
    _finders.append(find)


def of(house: House, roles: Collection[str], now: datetime) -> list[StandIn]:
    """The stand-ins of these roles that the house has."""
    return [one for find in _finders for one in find(house, roles, now)] if roles else []
