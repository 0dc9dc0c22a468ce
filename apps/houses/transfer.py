"""Houses as rows of a file."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.houses import tables
from apps.houses.models import House
from apps.houses.mutations import create_house, set_enabled, update_house

COLUMNS = ("name", "label", "description", "time_zone", "latitude", "longitude", "enabled")


def row_of(house: House) -> list[object]:
    """The cells of a house, in the order of COLUMNS."""
    return [getattr(house, column) for column in COLUMNS]


def save(row: tables.Row, by: User) -> House:
    """Add the house of a row, or change the one of that name; a column that is missing changes nothing.

    Of houses that `by` cannot see, the name is taken. Raises ValidationError.
    """
    house = House.objects.visible_to(by).filter(name=row.get("name", "")).first()
    enabled = tables.yes_or_no(row, "enabled")
    if house is None:
        house, _ = create_house(by=by, name=row.get("name", ""), **_description(row))
    else:
        update_house(house=house, by=by, **_description(row))
    if enabled is not None and enabled != house.enabled:
        set_enabled(house=house, enabled=enabled, by=by)
    return house


def _description(row: tables.Row) -> Any:
    texts = {name: row[name] for name in ("label", "description", "time_zone") if name in row}
    numbers = {name: tables.number(row, name) for name in ("latitude", "longitude") if name in row}
    return {**texts, **numbers}
