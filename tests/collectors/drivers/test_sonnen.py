import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from collectors import drivers
from collectors.drivers.sonnen import Config, Driver
from collectors.drivers.sonnen.config import FIELDS, POWER, SOC
from collectors.drivers.sonnen.driver import LOCAL_AGAIN_S
from collectors.drivers.sonnen.ways import ACCEPT, address, flattened
from collectors.simulation.sonnen import MANUAL, SELF, SERIAL, TOKEN, Simulator
from collectors.simulation.world import World

NOW = time.time()
STATUS: dict[str, Any] = {
    "Pac_total_W": -344,
    "USOC": 26,
    "RSOC": "32",
    "BackupBuffer": "20",
    "BatteryCharging": True,
    "SystemStatus": "OnGrid",
    "Timestamp": "2021-01-13 12:11:07",
    "Sac2": None,
}
BATTERY: dict[str, Any] = {
    "battery_status": {
        "relativestateofcharge": "31.5",
        "relativestateofcharge_unit": "%",
        "cyclecount": "12",
    },
    "modules": [1, 2],
}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Battery:
    """A battery and its cloud on one server; each way can be spoiled for itself."""

    def __init__(self, http: HTTPServer) -> None:
        self.http = http
        self.status, self.battery = dict(STATUS), dict(BATTERY)
        self.here: Response | None = None
        self.there: Response | None = None
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        for prefix in ("", f"/proxy/{SERIAL}"):
            http.expect_request(f"{prefix}/api/v1/status").respond_with_handler(self.answer)
            http.expect_request(f"{prefix}/api/battery").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        over_cloud = request.path.startswith("/proxy")
        self.asked.append("cloud" if over_cloud else "here")
        if over_cloud:
            self.headers = dict(request.headers)
        document = self.status if request.path.endswith("status") else self.battery
        return (self.there if over_cloud else self.here) or Response(json.dumps(document))


@pytest.fixture
def battery(httpserver: HTTPServer) -> Battery:
    return Battery(httpserver)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def config(**changes: Any) -> Config:
    return drivers.parse_config("sonnen", {"ip": "127.0.0.1:9", "timeout": 0.5, **changes})  # type: ignore[return-value]


def driver(battery: Battery, clock: Clock, *, cloud: bool = False, **changes: Any) -> Driver:
    ways: dict[str, Any] = {"ip": f"127.0.0.1:{battery.http.port}"}
    if cloud:
        ways |= {"serial": SERIAL, "token": TOKEN, "cloud": battery.http.url_for("").rstrip("/")}
    return Driver(config(**{**ways, **changes}), clock=clock, monotonic=clock, sleep=clock.sleep)


def values(result: drivers.ReadResult) -> dict[str, drivers.Value]:
    (reading,) = result.readings
    return dict(reading.values)


def warnings(result: drivers.ReadResult) -> list[str]:
    """What begins to be wrong; what is over is left out."""
    return [event.data["data"] for event in result.events if not event.data.get("cleared")]


class TestReading:
    def test_fields_have_flattened_names_and_the_batterys_own_sign(
        self, battery: Battery, clock: Clock
    ) -> None:
        found = values(driver(battery, clock).read())
        assert found[POWER] == -344
        assert found[SOC] == 31.5
        assert found["status.RSOC"] == 32.0
        assert found["status.SystemStatus"] == "OnGrid"
        assert found["status.BatteryCharging"] is True

    def test_roles_turn_them_to_the_houses_convention(self) -> None:
        roles = {field.role: (field.name, field.factor) for field in FIELDS if field.role}
        assert roles == {
            "battery": ("status.Pac_total_W", 0.001),
            "soc": ("battery.battery_status.relativestateofcharge", 1.0),
        }

    def test_stamps_units_and_nulls_are_dropped(self, battery: Battery, clock: Clock) -> None:
        result = driver(battery, clock).read()
        assert set(values(result)) == {field.name for field in FIELDS}
        assert result.readings[0].timestamp == round(NOW * 1000)
        assert values(result)["status.Fac"] is None
        assert result.events == []

    def test_further_fields_can_be_asked_for(self, battery: Battery, clock: Clock) -> None:
        more = ["battery.battery_status.cyclecount", "battery.modules"]
        device = driver(battery, clock, more=more)
        assert [values(device.read())[name] for name in more] == [12.0, None]
        declared = drivers.load("sonnen").fields(config(more=more))
        assert [(field.name, field.unit, field.kind) for field in declared[-2:]] == [
            (name, "", "gauge") for name in more
        ]

    @pytest.mark.parametrize("value", [None, "n/a", [], {"a": 1}, True])
    def test_a_value_that_is_none_costs_only_itself_and_is_told_once(
        self, battery: Battery, clock: Clock, value: Any
    ) -> None:
        battery.status["Pac_total_W"] = value
        device = driver(battery, clock)
        first, second = device.read(), device.read()
        assert values(first)[POWER] is None
        assert values(first)[SOC] == 31.5
        assert warnings(first) == ["The battery's answer holds no status.Pac_total_W."]
        assert warnings(second) == []

    def test_a_document_that_fails_costs_only_its_own_fields(self, battery: Battery, clock: Clock) -> None:
        battery.http.clear()
        battery.http.expect_request("/api/battery").respond_with_json(BATTERY)
        result = driver(battery, clock).read()
        assert values(result)[SOC] == 31.5
        assert values(result)[POWER] is None
        assert len(warnings(result)) == 1

    def test_flattened_names(self) -> None:
        assert flattened("a", {"b": {"c": 1, "d": [2]}, "e.f": "x", "g": {}}) == {"a.b.c": 1, "a.e.f": "x"}

    @pytest.mark.parametrize(
        ("ip", "url"),
        [
            ("192.168.1.30", "http://192.168.1.30:8080"),
            ("battery.local:80", "http://battery.local:80"),
            ("[fe80::1]", "http://[fe80::1]:8080"),
            ("[fe80::1]:81", "http://[fe80::1]:81"),
        ],
    )
    def test_the_port_is_8080_unless_it_is_given(self, ip: str, url: str) -> None:
        assert address(config(ip=ip)) == url


FAILURES = [
    Response("no", 500),
    Response("no", 401),
    Response("", 302, {"Location": "/"}),
    Response("{"),
    Response("[]"),
    Response("{}"),
    Response(json.dumps({"Pac_total_W": "n/a"})),
]


class TestCloud:
    @pytest.mark.parametrize(
        "failure", FAILURES, ids=lambda answer: f"{answer.status_code} {answer.get_data()!r}"
    )
    def test_any_failure_in_the_house_leads_to_the_cloud(
        self, battery: Battery, clock: Clock, failure: Response
    ) -> None:
        battery.here = failure
        result = driver(battery, clock, cloud=True).read()
        assert values(result)[POWER] == -344
        assert battery.headers["Authorization"] == f"Bearer {TOKEN}"
        assert battery.headers["Accept"] == ACCEPT
        (text,) = warnings(result)
        assert text.startswith("The battery is read over the cloud, since in the house: ")

    def test_so_does_nobody_at_its_address(self, battery: Battery, clock: Clock) -> None:
        result = driver(battery, clock, cloud=True, ip="127.0.0.1:1").read()
        assert values(result)[POWER] == -344

    def test_so_does_a_name_that_is_none(self, battery: Battery, clock: Clock) -> None:
        result = driver(battery, clock, cloud=True, ip="battery.invalid").read()
        assert values(result)[POWER] == -344

    def test_it_is_kept_for_a_while_then_the_battery_is_tried_again(
        self, battery: Battery, clock: Clock
    ) -> None:
        device = driver(battery, clock, cloud=True)
        battery.here = Response("no", 500)
        told = warnings(device.read())
        battery.asked.clear()
        for _ in range(5):
            clock.now += 10
            told += warnings(device.read())
        assert set(battery.asked) == {"cloud"}
        clock.now += LOCAL_AGAIN_S
        told += warnings(device.read())
        assert battery.asked[-4:] == ["here", "here", "cloud", "cloud"]
        assert len(told) == 1

    def test_a_battery_that_is_back_is_read_itself(self, battery: Battery, clock: Clock) -> None:
        device = driver(battery, clock, cloud=True)
        battery.here = Response("no", 500)
        device.read()
        battery.here = None
        clock.now += LOCAL_AGAIN_S
        device.read()
        battery.asked.clear()
        device.read()
        assert battery.asked == ["here", "here"]
        battery.here = Response("no", 500)
        assert len(warnings(device.read())) == 1

    def test_a_cloud_that_fails_leads_back_at_once(self, battery: Battery, clock: Clock) -> None:
        device = driver(battery, clock, cloud=True)
        battery.here = Response("no", 500)
        device.read()
        battery.here, battery.there = None, Response("no", 500)
        assert values(device.read())[POWER] == -344

    def test_when_both_fail_both_are_told(self, battery: Battery, clock: Clock) -> None:
        battery.here, battery.there = Response("no", 500), Response("no", 401)
        with pytest.raises(drivers.DeviceError, match=r"HTTP 500.* Over the cloud: .*HTTP 401"):
            driver(battery, clock, cloud=True).read()

    def test_half_of_both_is_better_than_nothing(self, battery: Battery, clock: Clock) -> None:
        battery.status["Pac_total_W"] = None
        result = driver(battery, clock, cloud=True).read()
        assert values(result)[SOC] == 31.5
        assert len(warnings(result)) == 1

    def test_a_pause_that_the_cloud_asks_for_is_kept(self, battery: Battery, clock: Clock) -> None:
        battery.here, battery.there = Response("no", 500), Response("slow down", 429, {"Retry-After": "90"})
        device = driver(battery, clock, cloud=True)
        for _ in range(8):
            with pytest.raises(drivers.DeviceError):
                device.read()
            clock.now += 10
        assert battery.asked.count("cloud") == 1

    @pytest.mark.parametrize(
        ("given", "field"),
        [({"serial": "1"}, "token"), ({"token": "t"}, "serial"), ({"serial": "1", "token": ""}, "token")],
    )
    def test_serial_and_token_go_together(self, given: dict[str, str], field: str) -> None:
        with pytest.raises(drivers.ConfigError, match="go together") as caught:
            config(**given)
        assert caught.value.field == field

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"serial": "../x", "token": "t"}, "serial"),
            ({"cloud": "http://core.example"}, "cloud"),
            ({"more": ["status.USOC"]}, "more"),
            ({"more": ["battery.a", "battery.a"]}, "more"),
            ({"more": ["_x"]}, "more"),
            ({"most_power": -1}, "most_power"),
        ],
    )
    def test_settings_that_cannot_be(self, given: dict[str, Any], field: str) -> None:
        with pytest.raises(drivers.ConfigError) as caught:
            config(**given)
        assert caught.value.field == field


@pytest.fixture
def device(clock: Clock) -> Iterator[Simulator]:
    with Simulator(World(3, round((NOW - 86_400) * 1000)), clock=clock) as simulated:
        yield simulated


def commanded(device: Simulator, clock: Clock, **changes: Any) -> Driver:
    settings = drivers.parse_config("sonnen", {**device.config, "timeout": 1, **changes})
    return Driver(settings, clock=clock, monotonic=clock, sleep=clock.sleep)  # type: ignore[arg-type]


MANUALLY = {"action": "set_mode", "mode": "manual"}
BACK = {"action": "set_mode", "mode": "self"}


def watts(value: Any) -> dict[str, Any]:
    return {"action": "batt_act", "value": value}


@pytest.fixture
def half_full(monkeypatch: pytest.MonkeyPatch) -> None:
    at = World.at
    monkeypatch.setattr(World, "at", lambda self, t: at(self, t)._replace(soc=50.0))


@pytest.mark.usefixtures("half_full")
class TestCommands:
    def test_modes(self, device: Simulator, clock: Clock) -> None:
        driver = commanded(device, clock)
        driver.act(MANUALLY)
        assert device.mode == MANUAL
        driver.act(BACK)
        assert device.mode == SELF

    @pytest.mark.parametrize(
        ("value", "then"), [(500, 500), (-1200.4, -1200), ("750", 750), (0, 0), ("-3300", -3300)]
    )
    def test_set_points(self, device: Simulator, clock: Clock, value: Any, then: int) -> None:
        driver = commanded(device, clock)
        driver.act(MANUALLY)
        driver.act(watts(value))
        assert device.setpoint == then
        assert values(driver.read())[POWER] == then

    def test_a_mode_with_a_set_point_sets_both(self, device: Simulator, clock: Clock) -> None:
        commanded(device, clock).act({**MANUALLY, "value": -400})
        assert (device.mode, device.setpoint) == (MANUAL, -400)

    @pytest.mark.parametrize("value", [3301, -3301, "1e9", 1e300, float("nan"), float("inf"), "much", ""])
    def test_a_set_point_out_of_bounds_changes_nothing(
        self, device: Simulator, clock: Clock, value: Any
    ) -> None:
        with pytest.raises(drivers.DeviceError):
            commanded(device, clock).act({**MANUALLY, "value": value})
        assert (device.mode, device.setpoint) == (SELF, 0)

    @pytest.mark.parametrize(
        "command",
        [{}, {"action": "set_mode"}, {"action": "set_mode", "mode": "backup"}, {"action": "batt_act"},
         watts(None), {**BACK, "value": 5}, {**watts(5), "mode": "manual"}, watts([5]), {"action": "reboot"}],
    )  # fmt: skip
    def test_what_is_no_command_changes_nothing(
        self, device: Simulator, clock: Clock, command: dict[str, Any]
    ) -> None:
        with pytest.raises(drivers.DeviceError):
            commanded(device, clock).act(command)
        assert device.mode == SELF

    def test_a_set_point_needs_manual_mode(self, device: Simulator, clock: Clock) -> None:
        with pytest.raises(drivers.DeviceError, match="not in manual mode"):
            commanded(device, clock).act(watts(500))

    @pytest.mark.parametrize(("charge", "value"), [(5.0, 100), (100.0, -100)])
    def test_neither_an_empty_nor_a_full_battery_is_driven_further(
        self, device: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch, charge: float, value: int
    ) -> None:
        at = World.at
        monkeypatch.setattr(World, "at", lambda self, t: at(self, t)._replace(soc=charge))
        with pytest.raises(drivers.DeviceError, match=r"empty|full"):
            commanded(device, clock).act({**MANUALLY, "value": value})
        assert device.mode == SELF

    def test_a_battery_that_does_not_obey_is_an_error(
        self, device: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        driver = commanded(device, clock)
        driver.act(MANUALLY)
        monkeypatch.setattr(Simulator, "_command", lambda *_: ("application/json", b"true"))
        with pytest.raises(drivers.DeviceError, match="told to go to 900 W, and did not"):
            driver.act(watts(900))
        with pytest.raises(drivers.DeviceError, match="self mode, and did not"):
            driver.act(BACK)

    def test_a_battery_that_says_no_is_an_error(
        self, device: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Simulator, "_command", lambda *_: ("application/json", b"false"))
        with pytest.raises(drivers.DeviceError, match="refused the command"):
            commanded(device, clock).act(MANUALLY)


@pytest.mark.usefixtures("half_full")
class TestReturn:
    def test_manual_mode_ends_when_nobody_renews_it(self, device: Simulator, clock: Clock) -> None:
        driver = commanded(device, clock, hold=600)
        driver.act({**MANUALLY, "value": 500})
        clock.now += 590
        driver.read()
        assert device.mode == MANUAL
        driver.act(watts(600))
        clock.now += 590
        driver.read()
        assert device.mode == MANUAL
        clock.now += 10
        driver.read()
        assert device.mode == SELF
        assert driver.memory() == {"manual_until": None}

    def test_also_after_a_restart(self, device: Simulator, clock: Clock) -> None:
        first = commanded(device, clock, hold=600)
        first.act(MANUALLY)
        second = commanded(device, clock, hold=600, most_power=1_000)
        second.recall(json.loads(json.dumps(first.memory())))
        clock.now += 600
        second.read()
        assert device.mode == SELF

    def test_a_mode_that_was_left_by_hand_is_left_alone(self, device: Simulator, clock: Clock) -> None:
        driver = commanded(device, clock, hold=600)
        driver.act(MANUALLY)
        driver.act(BACK)
        device.mode = MANUAL
        clock.now += 10_000
        driver.read()
        assert device.mode == MANUAL

    def test_a_return_that_fails_is_told_once_and_tried_again(
        self, device: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        driver = commanded(device, clock, hold=600)
        driver.act(MANUALLY)
        clock.now += 600
        with monkeypatch.context() as broken:
            broken.setattr(Simulator, "_command", lambda *_: None)
            told = warnings(driver.read()) + warnings(driver.read())
        assert len(told) == 1
        assert "cannot be brought back" in told[0]
        driver.read()
        assert device.mode == SELF
