"""A simulated sonnen battery: its interface in the house and, at the same port, the vendor's cloud."""

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from zoneinfo import ZoneInfo

from collectors.drivers.sonnen.config import POWER, SOC
from collectors.simulation.history import History
from collectors.simulation.serving import Found, HttpSimulator, RefusedError, json_answer
from collectors.simulation.world import State, World

SERIAL, TOKEN = "123456", "simulated-sonnen-token"
MANUAL, SELF = 1, 8
FLOW_W = 20
"""W. Less than this is no flow."""


def status(world: World, now: float, *, mode: int = SELF, setpoint: int = 0) -> dict[str, Any]:
    """The document of ``/api/v1/status`` at Unix second ``now``; in manual mode the set-point rules."""
    house = world.at(round(now * 1000))
    battery = setpoint if mode == MANUAL else round(house.battery * 1000)
    use, sun = round((house.load + house.ev) * 1000), round(house.solar * 1000)
    feed_in = sun + battery - use
    moment = datetime.fromtimestamp(int(now), ZoneInfo(world.house.zone))
    return {
        "Apparent_output": abs(battery),
        "BackupBuffer": "5",
        "BatteryCharging": battery < -FLOW_W,
        "BatteryDischarging": battery > FLOW_W,
        "Consumption_W": use,
        "Fac": round(house.frequency, 3),
        **_flows(use, sun, battery, feed_in),
        "GridFeedIn_W": feed_in,
        "IsSystemInstalled": 1,
        "OperatingMode": str(mode),
        "Pac_total_W": battery,
        "Production_W": sun,
        "RSOC": round(house.soc),
        "RemainingCapacity_W": round(house.soc * world.house.battery_kwh * 10),
        "Sac1": abs(battery),
        "Sac2": None,
        "SystemStatus": "OnGrid",
        "Timestamp": f"{moment:%Y-%m-%d %H:%M:%S}",
        "USOC": round(house.soc),
        "Uac": round(house.l1_voltage),
        "Ubat": round(48 + 6 * house.soc / 100),
    }


def _flows(use: int, sun: int, battery: int, feed_in: int) -> dict[str, bool]:
    return {
        "FlowConsumptionBattery": battery > FLOW_W,
        "FlowConsumptionGrid": feed_in < -FLOW_W,
        "FlowConsumptionProduction": min(sun, use) > FLOW_W,
        "FlowGridBattery": battery < -FLOW_W and sun < FLOW_W,
        "FlowProductionBattery": battery < -FLOW_W and sun > FLOW_W,
        "FlowProductionGrid": feed_in > FLOW_W,
    }


def battery(world: World, now: float) -> dict[str, Any]:
    """The document of ``/api/battery``: numbers as text, beside their units."""
    house = world.at(round(now * 1000))
    return {
        "battery_status": {
            "cyclecount": str(_cycles(world, now)),
            "relativestateofcharge": f"{house.soc:.1f}",
            "relativestateofcharge_unit": "%",
            "systemdcvoltage": f"{48 + 6 * house.soc / 100:.1f}",
            "systemdcvoltage_unit": "V",
            "systemtime": f"{datetime.fromtimestamp(int(now), ZoneInfo(world.house.zone)):%d/%m/%Y %H:%M:%S}",
        },
        "modules": [{"module": 1}, {"module": 2}],
    }


def _cycles(world: World, now: float) -> int:
    days = now - world.start / 1000
    return math.floor(0.7 * days / 86_400)


def sonnen_history(
    world: World, start: int, end: int, step: int, *, gaps: Sequence[tuple[int, int]] = ()
) -> History:
    """The numbers that the driver would have delivered, of a poll every ``step`` in [start, end); in ms.

    ``gaps`` are [from, to) in which nothing answered.
    """
    times = [t for t in range(start, end, step) if not any(first <= t < last for first, last in gaps)]
    houses = [world.at(t) for t in times]
    return History(times, {name: [value(house) for house in houses] for name, value in COLUMNS.items()})


COLUMNS: dict[str, Callable[[State], float]] = {
    POWER: lambda house: float(round(house.battery * 1000)),
    SOC: lambda house: round(house.soc, 1),
    "status.USOC": lambda house: float(round(house.soc)),
    "status.RSOC": lambda house: float(round(house.soc)),
    "status.Consumption_W": lambda house: float(round((house.load + house.ev) * 1000)),
    "status.Production_W": lambda house: float(round(house.solar * 1000)),
    "status.GridFeedIn_W": lambda house: float(
        round(house.solar * 1000) + round(house.battery * 1000) - round((house.load + house.ev) * 1000)
    ),
    "status.Uac": lambda house: float(round(house.l1_voltage)),
    "status.Fac": lambda house: round(house.frequency, 3),
}


def settings(port: int) -> dict[str, Any]:
    """The configuration with which the driver reads the battery that answers at a port of this machine."""
    here = f"127.0.0.1:{port}"
    return {"ip": here, "serial": SERIAL, "token": TOKEN, "cloud": f"http://{here}"}


class Simulator(HttpSimulator):
    """A battery that answers, obeys modes and set-points, and lets who has the token in over the cloud."""

    def __init__(self, world: World, *, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._world, self._clock = world, clock
        self.mode, self.setpoint = SELF, 0
        super().__init__(port)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration with which the driver reads this battery."""
        return settings(self.port)

    def get(self, request: BaseHTTPRequestHandler) -> Found:
        """A document or the answer to a command; over the cloud, documents only."""
        path = request.path
        if path.startswith(proxy := f"/proxy/{SERIAL}"):
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise RefusedError(401, "no valid token")
            return self._document(path.removeprefix(proxy))
        return self._document(path) or self._command(path)

    def _document(self, path: str) -> Found:
        now = self._clock()
        match path:
            case "/api/v1/status":
                return json_answer(status(self._world, now, mode=self.mode, setpoint=self.setpoint))
            case "/api/battery":
                return json_answer(battery(self._world, now))
        return None

    def _command(self, path: str) -> Found:
        match path.strip("/").split("/"):
            case ["api", "setting", "?EM_OperatingMode=1"]:
                self.mode, self.setpoint = MANUAL, 0
            case ["api", "setting", "?EM_OperatingMode=8"]:
                self.mode = SELF
            case ["api", "v1", "setpoint", "charge", watts] if watts.isdecimal() and self.mode == MANUAL:
                self.setpoint = -int(watts)
            case ["api", "v1", "setpoint", "discharge", watts] if watts.isdecimal() and self.mode == MANUAL:
                self.setpoint = int(watts)
            case _:
                return None
        return json_answer(True)
