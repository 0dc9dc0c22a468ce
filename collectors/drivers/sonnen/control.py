"""Tell a battery what to do, within bounds, and see that it does."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from collectors.drivers.contract import Command, DeviceError, setting
from collectors.drivers.sonnen.config import Config
from collectors.drivers.sonnen.ways import DOCUMENTS, Way, flattened
from collectors.drivers.transport import json_of
from collectors.drivers.values import measured

Mode = Literal["manual", "self"]
COMMANDS: dict[Mode, int] = {"manual": 1, "self": 8}
SHOWN: dict[Mode, set[float]] = {"manual": {1}, "self": {2, 8}}
"""The numbers of a mode in the status; newer batteries show self-consumption as 2."""

SETTLE_S, STEP_S = 20.0, 1.0
TOLERANCE_W, TOLERANCE = 100.0, 0.1
EMPTY, FULL = 5.0, 100.0


WATTS = "+ discharges, − charges, 0 rests."


class SetMode(Command, frozen=True, kw_only=True, tag="set_mode"):
    """Change the mode and, with a value in W, the set-point as well."""

    TITLE: ClassVar = "Set the mode"
    HELP: ClassVar = (
        "Manual mode ends by itself some time after the last command; the device's setting Hold says when."
    )

    mode: Annotated[
        Mode, setting("Mode", "self: self-consumption, the battery decides. manual: it follows a set-point.")
    ]
    value: Annotated[float | None, setting("Set-point", f"In manual mode, in W: {WATTS}")] = None


class SetPower(Command, frozen=True, kw_only=True, tag="batt_act"):
    """The set-point in W."""

    TITLE: ClassVar = "Charge or discharge"
    HELP: ClassVar = "Holds while the battery is in manual mode."

    value: Annotated[float, setting("Set-point", f"In W: {WATTS}")]


class Control:
    """Commands over the battery's own interface; every one is read back before it counts as done."""

    def __init__(
        self,
        config: Config,
        way: Way,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._config, self._way = config, way
        self._monotonic, self._sleep = monotonic, sleep

    def act(self, data: Mapping[str, Any], *, begun: Callable[[], None]) -> Mode:
        """Do it, and return the mode that the battery is then in.

        ``begun`` is called before anything is sent that takes the battery out of self-consumption. Raises
        DeviceError when it may not be, when the battery refuses, and when it does not obey within 20 s.
        """
        command = _command(data)
        watts = None if command.value is None else self._watts(command.value)
        if isinstance(command, SetMode) and command.mode == "self":
            if watts is not None:
                raise DeviceError("A set-point holds in manual mode only.")
            self.set_mode("self")
            return "self"
        if watts is not None:
            self._check_charge(watts)
        begun()
        if isinstance(command, SetMode):
            self.set_mode("manual")
        if watts is not None:
            self._set_power(watts)
        return "manual"

    def set_mode(self, mode: Mode) -> None:
        """Change the mode and wait until the battery shows it. Raises DeviceError."""
        self._send(f"api/setting/?EM_OperatingMode={COMMANDS[mode]}")
        if not self._shows(lambda status: measured(status.get("status.OperatingMode")) in SHOWN[mode]):
            raise DeviceError(f"The battery was told to go to {mode} mode, and did not.")

    def _set_power(self, watts: int) -> None:
        if measured(self._status().get("status.OperatingMode")) not in SHOWN["manual"]:
            raise DeviceError("The battery is not in manual mode, so it would not follow a set-point.")
        direction = "discharge" if watts > 0 else "charge"
        self._send(f"api/v1/setpoint/{direction}/{abs(watts)}")
        if not self._shows(lambda status: _follows(measured(status.get("status.Pac_total_W")), watts)):
            raise DeviceError(f"The battery was told to go to {watts} W, and did not.")

    def _watts(self, watts: float) -> int:
        if not math.isfinite(watts):
            raise DeviceError("A set-point is a number of watts.")
        if abs(watts) > self._config.most_power:
            raise DeviceError(f"The set-point exceeds the {self._config.most_power} W that are allowed.")
        return round(watts)

    def _check_charge(self, watts: int) -> None:
        status = self._status()
        charge = measured(status.get("status.USOC"))
        if charge is None:
            raise DeviceError("The battery does not say how full it is.")
        if watts > 0 and charge <= max(EMPTY, measured(status.get("status.BackupBuffer")) or 0.0):
            raise DeviceError(f"The battery is too empty to be discharged ({charge:g} %).")
        if watts < 0 and charge >= FULL:
            raise DeviceError("The battery is full.")

    def _send(self, path: str) -> None:
        if self._way(path).strip().lower() == b"false":
            raise DeviceError("The battery refused the command.")

    def _status(self) -> dict[str, Any]:
        return flattened("status", json_of(self._way(DOCUMENTS["status"]), dict[str, Any]))

    def _shows(self, wanted: Callable[[dict[str, Any]], bool]) -> bool:
        deadline = self._monotonic() + SETTLE_S
        while not wanted(self._status()):
            if self._monotonic() >= deadline:
                return False
            self._sleep(STEP_S)
        return True


def _command(data: Mapping[str, Any]) -> SetMode | SetPower:
    try:
        return msgspec.convert(dict(data), SetMode | SetPower, strict=False)
    except msgspec.ValidationError as error:
        raise DeviceError(
            'A command is {"action": "set_mode", "mode": "manual" or "self"}, with a "value" in W if manual, '
            'or {"action": "batt_act", "value": W}.'
        ) from error


def _follows(power: float | None, watts: int) -> bool:
    return power is not None and abs(power - watts) <= max(TOLERANCE_W, TOLERANCE * abs(watts))
