"""The pollers of a house: one per device, kept for as long as the device's configuration is the same."""

import logging
import time
from collections.abc import Iterable
from typing import Any, TypedDict

import msgspec

from collectors.agent.device import Device, Reader
from collectors.agent.orders import Order, Orders, Outcome
from collectors.agent.poller import Poller
from collectors.agent.spool import Spool
from collectors.agent.timekeeping import Timekeeper
from collectors.drivers import ConfigError

log = logging.getLogger(__name__)


class Fault(TypedDict):
    """A device that cannot be read, and why."""

    device: str
    message: str


class Fleet:
    """Runs a poller for each device of the newest configuration."""

    def __init__(
        self, spool: Spool, timekeeper: Timekeeper, orders: Orders, *, interval: float | None = None
    ) -> None:
        """With an ``interval`` (s) every device is read that often, whatever its configuration says."""
        self._spool, self._timekeeper, self._orders = spool, timekeeper, orders
        self._interval = interval
        self._told: dict[int, Poller] = {}
        self._pollers: dict[str, Poller] = {}
        self._leaving: dict[str, Poller] = {}

    def apply(self, devices: Iterable[Any]) -> list[Fault]:
        """Start, replace and stop pollers so that they fit; what cannot be read is returned.

        Devices that stayed the same keep their driver, with what it remembers, and their thread.
        """
        faults: list[Fault] = []
        wanted = self._wanted(devices, faults)
        for name, poller in list(self._pollers.items()):
            if wanted.get(name) != poller.device:
                self._leaving[name] = self._pollers.pop(name)
                poller.stop()
        for name, device in wanted.items():
            if name not in self._pollers:
                self._start(device, faults)
        return faults

    def give(self, orders: list[Order]) -> None:
        """Hand orders to their devices, each once; one whose device was given up meanwhile goes to the next.

        Of a device that is not read here that is the outcome.
        """
        self._told = {order.id: poller for order in orders if (poller := self._holder(order))}

    def _holder(self, order: Order) -> Poller | None:
        at_it = self._told.get(order.id)
        if at_it and at_it.is_alive():
            return at_it
        poller = self._pollers.get(order.device)
        if poller is None:
            self._orders.finish(Outcome(order.id, "failed", "The agent does not read this device."))
        else:
            poller.tell(order)
        return poller

    def stop(self, timeout: float = 2.0) -> bool:
        """Stop all; False when a device is silent for ``timeout`` seconds more and left to its thread."""
        pollers = [*self._pollers.values(), *self._leaving.values()]
        for poller in pollers:
            poller.stop()
        deadline = time.monotonic() + timeout
        for poller in pollers:
            poller.join(max(0.0, deadline - time.monotonic()))
        self._pollers.clear()
        return not any(poller.is_alive() for poller in pollers)

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
                wanted[name] = self._paced(device)
        return wanted

    def _paced(self, device: Device) -> Device:
        return msgspec.structs.replace(device, interval_s=self._interval or device.interval_s)

    def _start(self, device: Device, faults: list[Fault]) -> None:
        try:
            reader = Reader(device, self._spool.recall, self._timekeeper)
        except Exception as error:  # one broken driver must not keep the others from being read
            text = (
                str(error)
                if isinstance(error, ConfigError)
                else f"its driver is broken: {type(error).__name__}"
            )
            faults.append(Fault(device=device.name, message=text))
            log.warning("%s cannot be read: %s", device.name, text)
            return
        if reader.fault:  # it is polled all the same: what is missing may come
            faults.append(Fault(device=device.name, message=reader.fault))
        self._pollers[device.name] = Poller(
            reader, self._spool, self._orders, after=self._leaving.get(device.name)
        )
        self._pollers[device.name].start()
