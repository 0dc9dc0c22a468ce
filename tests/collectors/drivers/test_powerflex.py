import json
import threading
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from collectors import drivers
from collectors.drivers import Event
from collectors.drivers.powerflex import Config, Driver
from collectors.drivers.powerflex.driver import LOOK_BACK_S, WINDOW_S, window
from collectors.drivers.powerflex.rows import Row, parse
from collectors.drivers.powerflex.session import Session, advance

NOW = 1_790_000_000
COLUMNS = [
    "time", "acc_id", "acs_id", "charging_state", "energy_delivered", "mamps_actual", "pilot_actual", "power",
    "voltage",
]  # fmt: skip
OURS = (1, 17)


def row(time: float, state: Any = "CHARGING", energy: Any = 5, station: tuple[Any, Any] = OURS) -> list[Any]:
    return [time, *station, state, energy, 30_000, 32_000, 7_200, 240.5]


class Server:
    """PowerFlex: rows, tokens that can be made invalid, and what was asked."""

    def __init__(self, http: HTTPServer) -> None:
        self.http = http
        self.rows: list[list[Any]] = []
        self.logins: list[dict[str, str]] = []
        self.asked: list[tuple[int, int]] = []
        self.valid: set[str] = set()
        self.expires_in: float | None = None
        self.spoil: Response | None = None
        self.password = "right"
        http.expect_request("/login", method="POST").respond_with_handler(self.log_in)
        http.expect_request("/get_measurement_data", method="POST").respond_with_handler(self.measure)

    def log_in(self, request: Request) -> Response:
        self.logins.append(request.get_json())
        if self.logins[-1]["password"] != self.password:
            return Response("no", 401)
        token = f"token-{len(self.logins)}"
        self.valid = {token}
        answer = {"access_token": token, **({"expires_in": self.expires_in} if self.expires_in else {})}
        return Response(json.dumps(answer))

    def measure(self, request: Request) -> Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return Response("no", 401)
        if self.spoil:
            return self.spoil
        question = request.get_json()
        assert question["measurement"] == "ct_response"
        start, end = question["time_filter"]
        self.asked.append((start, end))
        values = [row for row in self.rows if start <= row[0] < end]
        series = [{"columns": COLUMNS, "values": values}]
        return Response(json.dumps({"data": {"results": [{"series": series} if values else {}]}}))


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server(httpserver: HTTPServer) -> Server:
    return Server(httpserver)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def config(server: Server, **changes: Any) -> Config:
    raw = {"url": server.http.url_for("").rstrip("/"), "username": "me", "password": "right"}
    return drivers.parse_config("powerflex", {**raw, "acc_id": 1, "acs_id": "17", "timeout": 2, **changes})  # type: ignore[return-value]


def driver(server: Server, clock: Clock, **changes: Any) -> Driver:
    return Driver(config(server, **changes), clock=clock, monotonic=clock)


def told(*states: tuple[int, str, int]) -> list[Event]:
    """The events of rows given as (time, state, energy)."""
    session, events = Session(), []
    for time, state, energy in states:
        values = {"charging_state": state, "energy_delivered": energy}
        session, more = advance(session, Row(time, values))  # type: ignore[arg-type]
        events += more
    return events


class TestSessions:
    def test_the_known_answers(self) -> None:
        assert told(
            (100, "CHARGING", 5),
            (104, "CHARGING", 6),
            (108, "UNPLUGGED", 0),
            (112, "PLUGGED", 0),
            (116, "CHARGING", 1000),
            (120, "NOT_CHARGING", 2000),
            (124, "UNPLUGGED", 0),
        ) == [
            Event(112_000, "EV_START_CHARGING", {}),
            Event(124_000, "EV_END_CHARGING", {"duration": 12_000, "energy": 2000}),
        ]

    def test_a_car_that_was_there_before_us_neither_starts_nor_ends(self) -> None:
        assert told((0, "CHARGING", 5), (4, "UNPLUGGED", 0)) == []

    def test_every_session_is_told(self) -> None:
        events = told(
            (0, "UNPLUGGED", 0), (4, "A", 1), (8, "UNPLUGGED", 0), (12, "B", 7), (16, "UNPLUGGED", 0)
        )
        assert [(e.timestamp, e.data.get("energy")) for e in events] == [
            (4_000, None), (8_000, 1), (12_000, None), (16_000, 7),
        ]  # fmt: skip

    @pytest.mark.parametrize("unknown", [None, "", 3])
    def test_a_row_without_a_state_changes_nothing(self, unknown: Any) -> None:
        events = told((0, "UNPLUGGED", 0), (4, "PLUGGED", 9), (8, unknown, 0), (12, "UNPLUGGED", 0))
        assert events[-1].data == {"duration": 8_000, "energy": 9}

    def test_energy_that_a_row_lacks_is_that_of_the_row_before(self) -> None:
        events = told((0, "UNPLUGGED", 0), (4, "A", 9), (8, "A", None), (12, "UNPLUGGED", 0))  # type: ignore[arg-type]
        assert events[-1].data["energy"] == 9

    def test_energy_that_no_row_had_is_null_and_no_zero(self) -> None:
        events = told((0, "UNPLUGGED", 0), (4, "A", None), (8, "UNPLUGGED", 0))  # type: ignore[arg-type]
        assert events[-1].data == {"duration": 4_000, "energy": None}


class TestRows:
    def test_each_row_is_a_reading_under_the_servers_time(self, server: Server, clock: Clock) -> None:
        server.rows = [row(NOW - 8), row(NOW - 4.5, energy="6.5")]
        readings = driver(server, clock).read().readings
        assert [reading.timestamp for reading in readings] == [(NOW - 8) * 1000, (NOW - 4.5) * 1000]
        assert readings[1].values == {
            "charging_state": "CHARGING",
            "energy_delivered": 6.5,
            "mamps_actual": 30_000.0,
            "pilot_actual": 32_000.0,
            "power": 7_200.0,
            "voltage": 240.5,
        }

    def test_no_rows_are_no_reading_and_no_error(self, server: Server, clock: Clock) -> None:
        assert driver(server, clock).read() == drivers.ReadResult([], [])

    def test_rows_of_other_stations_are_left_out(self, server: Server, clock: Clock) -> None:
        server.rows = [
            row(NOW - 8, station=(1, 18)),
            row(NOW - 8, station=(2, 17)),
            row(NOW - 4, station=("1", 17)),
        ]
        assert len(driver(server, clock).read().readings) == 1

    def test_rows_come_in_order_and_once(self, server: Server, clock: Clock) -> None:
        server.rows = [row(NOW - 4), row(NOW - 8), row(NOW - 4, energy=99)]
        readings = driver(server, clock).read().readings
        assert [reading.timestamp for reading in readings] == [(NOW - 8) * 1000, (NOW - 4) * 1000]
        assert readings[1].values["energy_delivered"] == 5.0

    @pytest.mark.parametrize("broken", [row(NOW - 4)[:-1], row("soon"), row(None), row(1e12), row(True)])  # type: ignore[arg-type]
    def test_a_row_that_is_none_costs_only_itself(self, broken: list[Any]) -> None:
        body = {"data": {"results": [{"series": [{"columns": COLUMNS, "values": [broken, row(NOW)]}]}]}}
        assert [one.time for one in parse(json.dumps(body).encode(), ("1", "17"), after=0)] == [NOW]

    def test_a_value_that_is_none_costs_only_itself(self, server: Server, clock: Clock) -> None:
        server.rows = [[NOW - 4, 1, 17, "PLUGGED", None, "n/a", [], {}, 240]]
        (reading,) = driver(server, clock).read().readings
        assert [name for name, value in reading.values.items() if value is not None] == [
            "voltage", "charging_state",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "[]",
            "{}",
            '{"data": {}}',
            '{"data": {"results": [{"series": [{"columns": 1}]}]}}',
            "<html>",
            "NaN",
        ],
    )
    def test_another_answer_is_an_error(self, server: Server, clock: Clock, body: str) -> None:
        server.spoil = Response(body)
        with pytest.raises(drivers.DeviceError, match="JSON"):
            driver(server, clock).read()


class TestLookBack:
    def test_the_next_read_goes_on_behind_the_last_row(self, server: Server, clock: Clock) -> None:
        server.rows = [row(NOW - 8), row(NOW - 4)]
        device = driver(server, clock)
        device.read()
        server.rows.append(row(NOW + 4))
        clock.now += 10
        assert [reading.timestamp for reading in device.read().readings] == [(NOW + 4) * 1000]
        assert server.asked[1][0] == NOW - 4

    def test_an_outage_of_a_day_loses_no_row(self, server: Server, clock: Clock) -> None:
        server.rows = [row(NOW - 4)]
        device = driver(server, clock)
        device.read()
        server.rows += [row(NOW + 60 * n) for n in range(1440)]
        clock.now += 86_400
        reads = [device.read().readings for _ in range(12)]
        assert [reading.timestamp // 1000 for one in reads for reading in one] == [
            NOW + 60 * n for n in range(1440)
        ]
        assert all(end - start <= WINDOW_S + 1 for start, end in server.asked[1:8])

    def test_failures_in_between_lose_nothing(self, server: Server, clock: Clock) -> None:
        server.rows = [row(NOW - 4)]
        device = driver(server, clock)
        device.read()
        server.spoil = Response("busy", 500)
        for _ in range(30):
            clock.now += 10
            with pytest.raises(drivers.DeviceError):
                device.read()
        server.rows += [row(NOW + n) for n in range(0, 300, 4)]
        server.spoil = None
        assert len(device.read().readings) == 75

    def test_it_is_bounded_to_a_week(self) -> None:
        assert window(NOW - 30 * 86_400, NOW) == (NOW - 7 * 86_400, NOW - 7 * 86_400 + WINDOW_S)

    def test_hours_without_rows_are_passed(self, server: Server, clock: Clock) -> None:
        server.rows = [row(NOW - 4)]
        device = driver(server, clock)
        device.read()
        clock.now += 86_400
        server.rows.append(row(clock.now - 4))
        reads = [device.read().readings for _ in range(12)]
        assert sum(map(len, reads)) == 1

    def test_a_silent_station_that_comes_back_late_is_not_missed(self, server: Server, clock: Clock) -> None:
        device = driver(server, clock)
        for _ in range(40):
            device.read()
            clock.now += 600
        server.rows = [row(clock.now - LOOK_BACK_S + 700), row(clock.now - 4)]
        assert len(device.read().readings) == 2

    @pytest.mark.parametrize("off", [-3_600, 3_600])
    def test_rows_come_at_once_also_with_our_clock_an_hour_off(self, server: Server, off: int) -> None:
        clock = Clock(NOW + off)
        device = driver(server, clock)
        for n in range(0, 600, 10):
            server.rows.append(row(NOW + n))
            assert [reading.timestamp for reading in device.read().readings] == [(NOW + n) * 1000]
            clock.now += 10


class TestToken:
    def test_one_log_in_serves_all_reads(self, server: Server, clock: Clock) -> None:
        device = driver(server, clock)
        for _ in range(5):
            device.read()
        assert server.logins == [{"username": "me", "password": "right"}]

    def test_a_token_that_is_refused_is_renewed_within_the_read(self, server: Server, clock: Clock) -> None:
        device = driver(server, clock)
        device.read()
        server.valid = set()
        device.read()
        assert len(server.logins) == 2

    def test_a_token_is_renewed_before_it_expires(self, server: Server, clock: Clock) -> None:
        server.expires_in = 600
        device = driver(server, clock)
        device.read()
        clock.now += 500
        device.read()
        assert len(server.logins) == 1
        clock.now += 80
        device.read()
        assert len(server.logins) == 2

    def test_a_wrong_password_is_not_tried_at_every_poll(self, server: Server, clock: Clock) -> None:
        device = driver(server, clock, password="wrong-word")
        for _ in range(29):
            with pytest.raises(drivers.DeviceError, match="refused") as caught:
                device.read()
            assert "wrong-word" not in str(caught.value)
            clock.now += 10
        assert len(server.logins) == 1
        server.password = "wrong-word"
        clock.now += 60
        device.read()

    def test_a_token_refused_right_after_the_log_in_is_an_error(self, server: Server, clock: Clock) -> None:
        server.spoil = Response("no", 401)
        with pytest.raises(drivers.DeviceError, match="refused"):
            driver(server, clock).read()
        assert len(server.logins) == 2

    def test_a_pause_that_is_asked_for_is_kept(self, server: Server, clock: Clock) -> None:
        device = driver(server, clock)
        device.read()
        server.spoil = Response("slow down", 429, {"Retry-After": "120"})
        for _ in range(12):
            with pytest.raises(drivers.DeviceError, match="429"):
                device.read()
            clock.now += 10
        server.spoil = None
        asked = len(server.http.log)
        device.read()
        assert asked == 3
        assert len(server.http.log) == 4

    @pytest.mark.parametrize("token", ["", "näh", "a\nb"])
    def test_a_token_that_is_none(self, server: Server, clock: Clock, token: str) -> None:
        server.http.clear()
        server.http.expect_request("/login").respond_with_json({"access_token": token})
        with pytest.raises(drivers.DeviceError):
            driver(server, clock).read()


class TestMemory:
    def test_a_session_goes_on_over_a_restart_and_another_configuration(
        self, server: Server, clock: Clock
    ) -> None:
        server.rows = [row(NOW - 8, "UNPLUGGED", 0), row(NOW - 4, "CHARGING", 100)]
        first = driver(server, clock)
        assert [event.type for event in first.read().events] == ["EV_START_CHARGING"]
        memory = json.loads(json.dumps(first.memory()))
        second = driver(server, clock, timeout=7)
        second.recall(memory)
        server.rows += [row(NOW + 4, "CHARGING", 700), row(NOW + 8, "UNPLUGGED", 0)]
        result = second.read()
        assert [reading.timestamp for reading in result.readings] == [(NOW + 4) * 1000, (NOW + 8) * 1000]
        assert result.events == [
            Event((NOW + 8) * 1000, "EV_END_CHARGING", {"duration": 12_000, "energy": 700})
        ]

    def test_another_stations_memory_is_not_ours(self, server: Server, clock: Clock) -> None:
        first = driver(server, clock, acs_id=18)
        server.rows = [row(NOW - 4, "PLUGGED", station=(1, 18))]
        first.read()
        second = driver(server, clock)
        second.recall(first.memory())
        assert second.memory() == {}

    def test_nothing_is_remembered_before_the_first_read(self, server: Server, clock: Clock) -> None:
        assert driver(server, clock).memory() == {}

    def test_it_is_a_driver_that_remembers(self, server: Server, clock: Clock) -> None:
        assert isinstance(driver(server, clock), drivers.Remembers)


class TestConfig:
    @pytest.mark.parametrize(
        "url",
        [
            "http://x.example",
            "x.example",
            "https://me:pw@x.example",
            "https://x.example/?a",
            "https://x.example/",
        ],
    )
    def test_the_password_goes_over_tls_only(self, server: Server, url: str) -> None:
        with pytest.raises(drivers.ConfigError) as caught:
            config(server, url=url)
        assert caught.value.field == "url"

    def test_a_path_may_be_part_of_it(self, server: Server) -> None:
        assert config(server, url="https://x.example:8443/api/v2").url.endswith("/v2")

    def test_it_takes_no_commands(self, server: Server, clock: Clock) -> None:
        with pytest.raises(drivers.DeviceError):
            driver(server, clock).act({"action": "stop"})


def test_two_drivers_of_a_station_take_turns(server: Server, clock: Clock) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def slowly(request: Request) -> Response:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.05)
        with lock:
            at_once -= 1
        return Response(json.dumps({"access_token": "t", "data": {"results": []}}))

    server.http.clear()
    server.http.expect_request("/login").respond_with_handler(slowly)
    server.http.expect_request("/get_measurement_data").respond_with_handler(slowly)
    threads = [threading.Thread(target=driver(server, clock).read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
