"""What devices declare, for those who must go on when a configuration no longer fits its driver."""

from __future__ import annotations

from apps.devices.models import Device
from collectors import drivers


def declared(device: Device) -> list[drivers.Field]:
    """The fields of `device`; none where its stored config cannot be used: its form says why."""
    try:
        return device.fields()
    except drivers.ConfigError:
        return []
