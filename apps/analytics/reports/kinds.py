"""The four reports: which items of a house each one shows, and as what. Pure.

Items follow the house's convention: powers in kW and never negative, the state of charge in per cent.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _


@dataclass(frozen=True)
class Bar:
    """An item shown as energy per bin. `energy` is what people call its kWh, `tone` a colour of the site."""

    item: str
    energy: str
    tone: str
    peak: bool = False


@dataclass(frozen=True)
class Share:
    """1 − ∫lost ÷ ∫whole, in per cent: what of the whole stayed in, or came from, the house.

    `whole` sums items by sign; those of `storage` count where the house has them.
    """

    title: str
    whole: tuple[tuple[str, int], ...]
    lost: str
    says: str
    storage: tuple[tuple[str, int], ...] = ()


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
        _("Solar"),
        (Bar("solar", _("Generated"), "solar", peak=True),),
        share=Share(
            _("Self-consumption"),
            (("solar", 1),),
            lost="grid_export",
            says=_("of the sun's energy was used in the house"),
        ),
    ),
    "battery": Kind(
        _("Battery"),
        (
            Bar("battery_charging", _("Charged"), "charge"),
            Bar("battery_discharging", _("Discharged"), "battery"),
        ),
        level="soc",
    ),
    "ev": Kind(_("EV"), (Bar("ev", _("Charged"), "ev", peak=True),), sessions=True),
    "load": Kind(
        _("Load"),
        (Bar("load", _("Consumed"), "load", peak=True),),
        # By what came in less what went out: whether a car is part of the load differs from house to house.
        share=Share(
            _("Self-sufficiency"),
            (("solar", 1), ("grid_import", 1), ("grid_export", -1)),
            lost="grid_import",
            says=_("of all that was used came from sun and battery"),
            storage=(("battery_discharging", 1), ("battery_charging", -1)),
        ),
    ),
}

SESSION_COUNT = "ev_event_count"
SESSION_DURATION = "ev_charge_duration"
"""Items over events: the starts of charging, and how long each visit lasted (ms), stamped with its end."""
