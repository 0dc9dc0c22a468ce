"""What is on record of a series that a formula names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.analytics.formula.nodes import Field
from apps.readings import integration


@dataclass(frozen=True)
class Spec:
    """As declared of the series: its kind, quantity, unit (empty: not known) and cadence in seconds."""

    kind: str = "gauge"
    quantity: str = ""
    unit: str = ""
    cadence: float | None = None

    @property
    def max_gap(self) -> int:
        """How far apart (ms) its readings may be to vouch for the time between."""
        return integration.max_gap(self.cadence)

    @property
    def behaves(self) -> str:
        """The kind formulas take it for: the register of a counter is a value at an instant, like a gauge."""
        return "gauge" if self.kind == "counter" else self.kind


Specs = Mapping[Field, Spec]
