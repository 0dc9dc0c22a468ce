"""All the names that a formula of a house can use, for editors to offer."""

from __future__ import annotations

from typing import NamedTuple

from apps.analytics.formula.nodes import ARITY, AVG, CONSTANTS
from apps.analytics.formula.printing import event_identifier, identifier
from apps.analytics.models import AnalyticsItem
from apps.devices.models import END_CHARGING, START_CHARGING, WARNING
from apps.houses.models import House
from apps.readings.models import Namespace, Series

MOST = 5_000
"""Names that an editor gets to choose from."""


class Name(NamedTuple):
    """What to write, and what it is in a few words."""

    insert: str
    detail: str


def names_of(house: House) -> list[Name]:
    """What a formula of `house` can name: its series, items and events, then functions and constants."""
    return [*_series(house), *_items(house), *_events(house), *_functions()]


def _series(house: House) -> list[Name]:
    found = (
        Series.objects.filter(source__house=house)
        .exclude(source__namespace=Namespace.ANALYTICS)
        .exclude(field__startswith="_")
        .order_by("source__name", "field")
        .values_list("source__name", "field", "quantity", "unit")[:MOST]
    )
    return [
        Name(identifier(source, field), _words(quantity, unit)) for source, field, quantity, unit in found
    ]


def _items(house: House) -> list[Name]:
    items = AnalyticsItem.objects.filter(house=house).order_by("name")
    return [Name(f"analytics.{one.name}", _words(one.label, one.unit)) for one in items]


def _events(house: House) -> list[Name]:
    """The types that every house may have, of all its devices; a type alone counts."""
    types = {START_CHARGING: "begins of charging", END_CHARGING: "ends of charging", WARNING: "warnings"}
    return [
        *(Name(event_identifier(types=[name]), words) for name, words in types.items()),
        Name(event_identifier(types=[END_CHARGING], path=["duration"]), "durations of charging · ms"),
        Name(event_identifier(types=[END_CHARGING], path=["energy"]), "energies of charging · mWh"),
    ]


def _functions() -> list[Name]:
    calls = [Name(f"{name}(", "function") for name in ARITY if name != AVG]
    constants = [Name(name, f"constant {value:.6g}") for name, value in CONSTANTS.items()]
    return [*calls, Name(f"{AVG}(", "means of bins: avg(x, period in ms)"), *constants]


def _words(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
