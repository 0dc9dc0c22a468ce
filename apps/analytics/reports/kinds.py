"""The four reports: which items of a house each one shows, and as what. Pure.

Items follow the house's convention: powers in kW and never negative, the state of charge in per cent.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """An item shown as energy per bin. `energy` is what people call its kWh, `tone` a colour of the site."""

    item: str
    energy: str
    tone: str
    peak: bool = False


@dataclass(frozen=True)
class Share:
    """1 − ∫lost ÷ ∫whole of two items, in per cent: what of the whole stayed in, or came from, the house."""

    title: str
    whole: str
    lost: str
    says: str


@dataclass(frozen=True)
class Kind:
    """A report: its bars, a line of per cent beside them, a share, and whether sessions are counted."""

    title: str
    bars: tuple[Bar, ...]
    level: str = ""
    share: Share | None = None
    sessions: bool = False


KINDS = {
    "solar": Kind(
        "Solar",
        (Bar("solar", "Generated", "solar", peak=True),),
        share=Share("Self-consumption", "solar", "grid_export", "of the sun's energy was used in the house"),
    ),
    "battery": Kind(
        "Battery",
        (
            Bar("battery_charging", "Charged", "charge"),
            Bar("battery_discharging", "Discharged", "battery"),
        ),
        level="soc",
    ),
    "ev": Kind("EV", (Bar("ev", "Charged", "ev", peak=True),), sessions=True),
    "load": Kind(
        "Load",
        (Bar("load", "Consumed", "load", peak=True),),
        share=Share("Self-sufficiency", "load", "grid_import", "of the load came from sun and battery"),
    ),
}

SESSION_COUNT = "ev_event_count"
SESSION_DURATION = "ev_charge_duration"
"""Items over events: the starts of charging, and how long each visit lasted (ms), stamped with its end."""
