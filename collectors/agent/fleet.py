"""The pollers of a house: one per device, kept for as long as the device's configuration is the same."""

import logging
from collections.abc import Iterable
from typing import Any, TypedDict

import msgspec

from collectors.agent.poller import Device, Poller
from collectors.agent.spool import Spool
from collectors.drivers import ConfigError, DeviceError

log = logging.getLogger(__name__)


class Fault(TypedDict):
    """A device that cannot be read, and why."""

    device: str
    message: str


class Fleet:
    """Runs a poller for each device of the newest configuration."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._pollers: dict[str, Poller] = {}

    def apply(self, devices: Iterable[Any]) -> list[Fault]:
        """Start, replace and stop pollers so that they fit; what cannot be read is returned.

        Devices that stayed the same keep their driver, with what it remembers, and their thread.
        """
        faults: list[Fault] = []
        wanted = self._wanted(devices, faults)
        for name, poller in list(self._pollers.items()):
            if wanted.get(name) != poller.device:
                self._pollers.pop(name).stop()
        for name, device in wanted.items():
            if name not in self._pollers:
                self._start(device, faults)
        return faults

    def stop(self, timeout: float = 2.0) -> None:
        """Stop all; a device that is still silent after ``timeout`` seconds is left to its thread."""
        for poller in self._pollers.values():
            poller.stop()
        for poller in self._pollers.values():
            poller.join(timeout)
        self._pollers.clear()

    def _wanted(self, devices: Iterable[Any], faults: list[Fault]) -> dict[str, Device]:
        wanted: dict[str, Device] = {}
        for raw in devices:
            name = str(raw.get("name")) if isinstance(raw, dict) else "?"
            try:
                device = msgspec.convert(raw, Device)
            except msgspec.ValidationError as error:
                faults.append(Fault(device=name, message=str(error)))
                continue
            if name in wanted:
                faults.append(Fault(device=name, message="is configured twice; the first is used"))
            else:
                wanted[name] = device
        return wanted

    def _start(self, device: Device, faults: list[Fault]) -> None:
        try:
            poller = Poller(device, self._spool)
        except (ConfigError, DeviceError) as error:
            faults.append(Fault(device=device.name, message=str(error)))
            log.warning("%s cannot be read: %s", device.name, error)
            return
        self._pollers[device.name] = poller
        poller.start()
