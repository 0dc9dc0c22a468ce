"""The energy of a house's day so far: what came in from where, and what it went to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop as _

from apps.analytics.reports import words
from apps.analytics.reports.courses import FULL, Ask


@dataclass(frozen=True)
class Flow:
    """An item of power whose energy of the day is told; `supply` when it is a piece of the ring."""

    item: str
    title: str
    tone: str
    supply: bool = False


FLOWS = (
    Flow("solar", _("Sun"), "solar", supply=True),
    Flow("battery_discharging", _("From the battery"), "battery", supply=True),
    Flow("grid_import", _("From the grid"), "grid", supply=True),
    Flow("load", _("House"), "load"),
    Flow("ev", _("Car"), "ev"),
    Flow("battery_charging", _("Into the battery"), "charge"),
    Flow("grid_export", _("To the grid"), "grid"),
)


@dataclass(frozen=True)
class Amount:
    """The energy (kWh) of a flow so far, None while nothing is known, and the coverage of the time passed."""

    flow: Flow
    energy: float | None
    coverage: float

    @property
    def text(self) -> str:
        """For people, without the unit."""
        return words.amount(self.energy)

    @property
    def partial(self) -> bool:
        """Whether the energy lacks more than a reading here and there."""
        return self.energy is not None and self.coverage < FULL


def amounts(ask: Ask, *, start: int, end: int, now: int) -> list[Amount]:
    """The flows of the local day [start, end) ms that the house has items for, as far as `now`."""
    return [amount for flow in FLOWS if (amount := _amount(ask, flow, start, end, now)) is not None]


def _amount(ask: Ask, flow: Flow, start: int, end: int, now: int) -> Amount | None:
    course = ask.course(flow.item, every="1d", start=start, end=end, aggregate="integral")
    if course is None:
        return None
    energy, covered = float(course.values[0]), float(course.coverage[0]) * (end - start)
    known = None if math.isnan(energy) else energy
    return Amount(flow, known, min(1.0, covered / max(1, now - start)))


def as_json(found: list[Amount]) -> dict[str, Any]:
    """What the page refreshes: rows by item, and a Plotly figure of the ring without colours."""
    pieces = [one for one in found if one.flow.supply and one.energy is not None]
    return {
        "rows": [{"item": one.flow.item, "text": one.text, "note": note(one)} for one in found],
        "ring": {
            "labels": [one.flow.title for one in pieces],
            # Less than nothing, a meter's zero drifting, is no piece of a ring; its row still says it.
            "values": [round(max(0.0, one.energy or 0.0), 4) for one in pieces],
            "tones": [one.flow.tone for one in pieces],
        },
    }


def note(amount: Amount) -> str:
    """What a person must know beside the number: how much of the day so far was measured, unless all was."""
    return f"{words.per_cent(amount.coverage)} measured" if amount.partial else ""
