"""The device list of a house, as its agent fetches it."""

from __future__ import annotations

from typing import Any

from apps.devices.models import Device, EdgeUnit
from apps.houses.models import House


def of(house: House) -> dict[str, Any]:
    """{"version", "devices": [{"name", "type", "interval_s", "config"}]} with secrets in clear.

    Only enabled devices of an enabled house are listed.
    """
    # The version first: devices newer than their version are fetched once more, older ones would stay.
    unit = EdgeUnit.objects.filter(house=house).only("config_version").first()
    devices = Device.objects.filter(source__house=house, source__enabled=True, source__house__enabled=True)
    return {
        "version": unit.config_version if unit else 0,
        "devices": [
            {
                "name": device.source.name,
                "type": device.type,
                "interval_s": device.interval_s,
                "config": device.full_config(),
            }
            for device in devices.select_related("source").order_by("source__name")
        ],
    }
