"""A simulated PowerFlex server with one charging station of the house and one of a neighbour's."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from collectors.drivers import Event
from collectors.drivers.powerflex.session import END, START
from collectors.simulation.habits import Visit
from collectors.simulation.history import History
from collectors.simulation.serving import Found, HttpSimulator, RefusedError, json_answer
from collectors.simulation.world import EV, World

ROW_S = 4
MOST_ROWS = 100_000
TOKEN_S = 3_600
STATION = ("61", "17")
USERNAME, PASSWORD = "owner@house.example", "simulated-powerflex-password"
TOKEN = "simulated-powerflex-token"  # noqa: S105
IDLE_KW = 0.01
MWH = 1e6 / 3600
"""From kW·s to mWh."""


class Charge(NamedTuple):
    """One row of the station: Unix s, state, mWh of the session, mA, mA, W and V."""

    time: int
    charging_state: str
    energy_delivered: int
    mamps_actual: int
    pilot_actual: int
    power: int
    voltage: float


def charges(world: World, times: Sequence[int]) -> list[Charge]:
    """The station's rows at ascending Unix seconds."""
    if not times:
        return []
    visits = world.visits(times[0] * 1000, times[-1] * 1000 + 1)
    begun = {visit.arrival: _charged(world, [visit.arrival])[0] for visit in visits}
    rows = []
    for t, total in zip(times, _charged(world, times), strict=True):
        visit = next((v for v in visits if v.arrival <= t < v.departure), None)
        rows.append(_charge(world, t, visit, total - begun[visit.arrival] if visit else 0.0))
    return rows


def powerflex_history(world: World, start: int, end: int, step: int) -> History:
    """What the driver would have delivered from ``start`` to before ``end``, of a row every ``step``; in ms.

    The events are those of all rows, also of those between two steps.
    """
    times = range(start // 1000, -(-end // 1000), step // 1000)
    rows = charges(world, times)
    names = ("power", "voltage", "mamps_actual", "pilot_actual", "energy_delivered")
    fields = {name: [float(getattr(row, name)) for row in rows] for name in names}
    events = [event for event in _events(world, start, end) if start <= event.timestamp < end]
    return History([t * 1000 for t in times], fields, events)


def _events(world: World, start: int, end: int) -> Iterator[Event]:
    for visit in world.visits(start - ROW_S * 1000, end):
        first, after = _next_row(visit.arrival), _next_row(visit.departure)
        (last,) = charges(world, [after - ROW_S])
        yield Event(first * 1000, START, {})
        duration = (after - first) * 1000
        yield Event(after * 1000, END, {"duration": duration, "energy": last.energy_delivered})


def _next_row(t: int) -> int:
    return -(-t // ROW_S) * ROW_S


def _charged(world: World, times: Sequence[int]) -> list[float]:
    """The station's energy since the world began, in mWh."""
    return [total * MWH for total in world.integrals([t * 1000 for t in times])[EV]]


def _charge(world: World, t: int, visit: Visit | None, energy: float) -> Charge:
    state = world.at(t * 1000)
    volts = round(state.l1_voltage + (state.l2_voltage if world.house.volts < 200 else 0.0), 1)
    amps = state.ev / volts
    if visit is None:
        return Charge(t, "UNPLUGGED", 0, 0, 0, 0, volts)
    doing = "CHARGING" if state.ev > IDLE_KW else "PLUGGED" if t < visit.charging.start else "NOT_CHARGING"
    pilot = round(world.house.ev_kw / volts * 1.1e6)
    return Charge(t, doing, round(energy), round(amps * 1e6), pilot, round(state.ev * 1000), volts)


def settings(port: int) -> dict[str, Any]:
    """The configuration with which the driver reads the station at a port of this machine."""
    station = {"acc_id": STATION[0], "acs_id": STATION[1]}
    return {"url": f"http://127.0.0.1:{port}", "username": USERNAME, "password": PASSWORD, **station}


class Simulator(HttpSimulator):
    """Answers ``POST /login`` and ``POST /get_measurement_data`` on loopback; tokens last an hour."""

    def __init__(self, world: World, *, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._world, self._clock = world, clock
        self._tokens: dict[str, float] = {}
        self.logins = 0
        super().__init__(port)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration with which the driver reads this station."""
        return settings(self.port)

    def get(self, request: BaseHTTPRequestHandler) -> Found:
        """Nothing is there to be got."""
        return None

    def post(self, request: BaseHTTPRequestHandler, body: bytes) -> Found:
        """A token, or rows. Raises RefusedError for a wrong password or token."""
        try:
            asked = json.loads(body)
        except ValueError:
            raise RefusedError(400, "not JSON") from None
        match request.path:
            case "/login":
                return self._log_in(asked)
            case "/get_measurement_data":
                self._check(request.headers.get("Authorization", ""))
                return json_answer(self._measurements(*asked["time_filter"]))
        return None

    def _log_in(self, asked: dict[str, Any]) -> Found:
        if asked != {"username": USERNAME, "password": PASSWORD}:
            raise RefusedError(401, "wrong user name or password")
        self.logins += 1
        token = f"{TOKEN}-{self.logins}"
        self._tokens[token] = self._clock() + TOKEN_S
        return json_answer({"access_token": token})

    def _check(self, authorization: str) -> None:
        if self._tokens.get(authorization.removeprefix("Bearer "), 0) <= self._clock():
            raise RefusedError(401, "no valid token")

    def _measurements(self, start: int, end: int) -> dict[str, Any]:
        """The rows of [start, end] that there are by now, as the real server nests them."""
        first = max(_next_row(start), _next_row(self._world.start // 1000))
        times = range(first, int(min(end, self._clock())) + 1, ROW_S)[-MOST_ROWS:]
        values = [row for charge in charges(self._world, times) for row in _stations(charge)]
        columns = ["time", "acc_id", "acs_id", *Charge._fields[1:]]
        series = [{"name": "ct_response", "columns": columns, "values": values}] if values else None
        return {"data": {"results": [{"statement_id": 0, **({"series": series} if series else {})}]}}


def _stations(charge: Charge) -> Iterator[list[Any]]:
    """The row of the house's station, and that of a neighbour's that is never used."""
    yield [charge.time, *map(int, STATION), *charge[1:]]
    yield [charge.time, 61, 18, "UNPLUGGED", 0, 0, 0, 0, charge.voltage]
