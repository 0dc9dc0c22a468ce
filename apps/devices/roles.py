"""Which series of a house measure its sun, battery, car, load and grid: the drivers say so."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from apps.devices.models import Device
from apps.houses.models import House
from apps.readings.models import Kind, Series
from collectors import drivers

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """How a role is spoken of: its title, and what more than, about and less than zero mean."""

    title: str
    positive: str
    zero: str
    negative: str
    directed: bool = False
    """Whether the word says the sign, so that the number need not."""


LOOKS = {
    "solar": Look(_("Solar"), "generating", "idle", "drawing"),
    "battery": Look(_("Battery"), "discharging", "idle", "charging", directed=True),
    "ev": Look(_("EV"), "charging", "idle", "discharging"),
    "load": Look(_("Load"), "consuming", "idle", "feeding in"),
    "grid": Look(_("Grid"), "importing", "balanced", "exporting", directed=True),
}
"""The cards and traces, in the page's order."""


@dataclass(frozen=True)
class RoleField:
    """A field with a role. Value × `factor` follows the house's convention.

    That is kW, battery positive when discharging, grid positive when importing, everything else ≥ 0; for
    `soc` it is per cent. `source` is what people call the source, `cadence` the seconds between its readings.
    """

    role: str
    source_id: int
    source: str
    field: str
    unit: str
    factor: float
    cadence: float
    series: Series


def role_fields(house: House) -> list[RoleField]:
    """The fields with roles of the house's enabled devices, by device name. Two queries, however many."""
    devices = (
        Device.objects.filter(source__house=house, source__enabled=True)
        .select_related("source")
        .prefetch_related("source__series")
    )
    return [role_field for device in devices for role_field in _of_device(device)]


def with_role(fields: Iterable[RoleField], role: str) -> list[RoleField]:
    """Those of `fields` that have the role."""
    return [field for field in fields if field.role == role]


def _of_device(device: Device) -> Iterable[RoleField]:
    series = {one.field: one for one in device.source.series.all()}
    return [
        RoleField(
            role=field.role,
            source_id=device.source_id,
            source=str(device.source),
            field=field.name,
            unit=field.unit,
            factor=field.factor,
            cadence=series[field.name].cadence or device.interval_s,
            series=series[field.name],
        )
        for field in _declared(device)
        # A register is no power, whatever its role.
        if field.role is not None and field.name in series and series[field.name].kind != Kind.COUNTER
    ]


def _declared(device: Device) -> list[drivers.Field]:
    """The device's fields; none where its settings no longer fit its driver, so that the page still shows."""
    try:
        return device.fields()
    except drivers.ConfigError as error:
        logger.warning("Device %s of house %s: %s", device, device.source.house_id, error)
        return []
