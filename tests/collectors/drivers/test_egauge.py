import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from collectors import drivers
from collectors.drivers.egauge import Config, Driver
from collectors.drivers.egauge.driver import circular_difference

NOW = 1_790_000_000.25


def xml(clock: int, **registers: object) -> str:
    rows = "".join(f'<r t="P" n="{name}"><v>{value}</v><i>7</i></r>' for name, value in registers.items())
    return f'<?xml version="1.0"?><data serial="0x1"><ts>{clock}</ts>{rows}</data>'


def config(**changes: Any) -> Config:
    return drivers.parse_config("egauge", {"ip": "127.0.0.1", "keys": ["Solar"], **changes})


class Meter:
    """A real HTTP server that gives the queued answers, and a driver whose clocks stand still."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.slept: list[float] = []
        self.elapsed = 0.0

    def answers(self, *bodies: str) -> None:
        for body in bodies:
            self.server.expect_ordered_request("/cgi-bin/egauge", query_string="ins&tot").respond_with_data(
                body, content_type="text/xml"
            )

    def driver(self, *keys: Any, **changes: Any) -> Driver:
        return Driver(
            config(ip=f"127.0.0.1:{self.server.port}", keys=list(keys) or ["Solar"], **changes),
            clock=lambda: NOW,
            monotonic=lambda: self.elapsed,
            sleep=self.slept.append,
        )


@pytest.fixture
def meter(httpserver: HTTPServer) -> Meter:
    return Meter(httpserver)


def values(result: drivers.ReadResult) -> dict[str, drivers.Value]:
    (reading,) = result.readings
    return dict(reading.values)


class TestKnownAnswers:
    def test_power_over_a_minute_is_in_kilowatts_at_full_precision(self, meter: Meter) -> None:
        meter.answers(xml(1000, Solar=55357226851), xml(1060, Solar=55357243343))
        assert values(meter.driver().read()) == {"Solar": 16492 / 60 / 1000, "_length": 60_000}

    def test_voltage_over_ten_minutes_is_in_volts(self, meter: Meter) -> None:
        meter.answers(xml(1000, L1_Voltage=5_000_000), xml(1600, L1_Voltage=5_000_000 + 66_745_407))
        volts = values(meter.driver("L1_Voltage").read())["L1_Voltage"]
        assert volts == pytest.approx(111.242345)

    def test_a_discharge_is_as_negative_as_the_meter_has_it(self, meter: Meter) -> None:
        meter.answers(xml(1000, Grid=-500), xml(1010, Grid=-20_500))
        assert values(meter.driver("Grid").read())["Grid"] == -2.0


class TestPolling:
    def test_the_first_read_polls_twice_a_sample_time_apart(self, meter: Meter) -> None:
        meter.answers(xml(1000, Solar=0), xml(1007, Solar=7000))
        meter.driver(t_sample=7).read()
        assert meter.slept == [7.0]

    def test_later_reads_cover_the_time_since_the_previous_poll(self, meter: Meter) -> None:
        meter.answers(xml(1000, Solar=1), xml(1005, Solar=5001), xml(1060, Solar=170_001))
        driver = meter.driver()
        driver.read()
        assert values(driver.read()) == {"Solar": 3.0, "_length": 55_000}
        assert meter.slept == [5.0]

    def test_the_stamp_is_this_machines_clock_at_the_later_answer(self, meter: Meter) -> None:
        meter.answers(xml(1000, Solar=0), xml(1005, Solar=0))
        assert meter.driver().read().readings[0].timestamp == 1_790_000_000_250

    @pytest.mark.parametrize(("meters", "ours"), [(301, 10), (10, 301)])
    def test_a_gap_over_five_minutes_starts_anew(self, meter: Meter, meters: int, ours: int) -> None:
        meter.answers(
            xml(1000, Solar=1),
            xml(1005, Solar=5001),
            xml(1005 + meters, Solar=9_000_001),
            xml(1010 + meters, Solar=9_010_001),
        )
        driver = meter.driver()
        driver.read()
        meter.elapsed += ours
        assert values(driver.read()) == {"Solar": 2.0, "_length": 5_000}

    def test_a_poll_within_the_same_second_of_the_meter_waits_for_the_next(self, meter: Meter) -> None:
        meter.answers(xml(10, Solar=1), xml(15, Solar=2), xml(15, Solar=2), xml(16, Solar=3002))
        driver = meter.driver()
        driver.read()
        assert values(driver.read()) == {"Solar": 3.0, "_length": 1_000}

    def test_a_clock_that_stands_still_is_an_error(self, meter: Meter) -> None:
        meter.answers(xml(10, Solar=1), xml(10, Solar=2))
        with pytest.raises(drivers.DeviceError, match="stands still"):
            meter.driver().read()

    def test_a_clock_set_back_starts_anew(self, meter: Meter) -> None:
        meter.answers(xml(9000, Solar=1), xml(9005, Solar=1), xml(1000, Solar=1), xml(1005, Solar=5001))
        driver = meter.driver()
        driver.read()
        assert values(driver.read()) == {"Solar": 1.0, "_length": 5_000}


class TestRegisters:
    def test_a_missing_register_is_null_and_told_once_while_the_others_are_kept(self, meter: Meter) -> None:
        meter.answers(*(xml(1000 + 5 * n, Solar=5000 * n) for n in range(3)))
        driver = meter.driver("Solar", "EV")
        first, second = driver.read(), driver.read()
        assert values(first) == {"Solar": 1.0, "EV": None, "_length": 5_000}
        assert [event.type for event in first.events] == ["WARNING"]
        assert "EV" in first.events[0].data["data"]
        assert values(second)["EV"] is None
        assert second.events == []

    def test_a_register_that_appears_needs_two_polls(self, meter: Meter) -> None:
        meter.answers(xml(0, A=1), xml(5, A=1, B=9), xml(10, A=1, B=5009))
        driver = meter.driver("A", "B")
        assert values(driver.read())["B"] is None
        assert values(driver.read())["B"] == 1.0

    def test_an_unreadable_value_costs_only_its_register(self, meter: Meter) -> None:
        meter.answers(xml(0, A=1, B="?", C=2**63), xml(5, A=1, B=2, C=3))
        assert values(meter.driver("A", "B", "C").read()) == {
            "A": 0.0,
            "B": None,
            "C": None,
            "_length": 5_000,
        }

    def test_registers_run_on_from_the_largest_number_to_the_smallest(self, meter: Meter) -> None:
        meter.answers(xml(0, Solar=2**63 - 2000), xml(4, Solar=-(2**63) + 2000))
        assert values(meter.driver().read())["Solar"] == 1.0

    @pytest.mark.parametrize("difference", [0, 1, -1, 2**62, -(2**62)])
    @pytest.mark.parametrize("start", [0, 2**63 - 1, -(2**63)])
    def test_circular_differences(self, start: int, difference: int) -> None:
        after = (start + difference + 2**63) % 2**64 - 2**63
        assert circular_difference(start, after) == difference

    @pytest.mark.parametrize(("before", "after"), [(55_357_226_851, 40), (3_000, 0)])
    def test_a_reset_is_missing_and_no_spike(self, meter: Meter, before: int, after: int) -> None:
        meter.answers(xml(0, Solar=before, EV=1), xml(5, Solar=after, EV=1))
        result = meter.driver("Solar", "EV").read()
        assert values(result) == {"Solar": None, "EV": 0.0, "_length": 5_000}
        assert "reset" in result.events[0].data["data"]

    def test_a_register_at_rest_at_zero_is_zero(self, meter: Meter) -> None:
        meter.answers(xml(0, Solar=0), xml(5, Solar=0))
        assert values(meter.driver().read())["Solar"] == 0.0


WHOLE = xml(1000, Solar=5)


class TestFailures:
    @pytest.mark.parametrize(
        "body",
        [
            "",
            "no meter here",
            WHOLE[: len(WHOLE) // 2],
            "<data><r n='Solar'><v>1</v></r></data>",
            "<html><ts>1000</ts></html>",
            "<data><ts>soon</ts></data>",
            '<!DOCTYPE d [<!ENTITY a "b">]><data><ts>&a;</ts></data>',
        ],
    )
    def test_a_body_that_is_no_whole_answer(self, meter: Meter, body: str) -> None:
        meter.answers(body)
        with pytest.raises(drivers.DeviceError):
            meter.driver().read()

    def test_after_a_failure_the_next_read_bridges_from_the_last_good_poll(self, meter: Meter) -> None:
        meter.answers(xml(0, Solar=0), xml(5, Solar=0), "half", xml(20, Solar=15_000))
        driver = meter.driver()
        driver.read()
        with pytest.raises(drivers.DeviceError):
            driver.read()
        assert values(driver.read()) == {"Solar": 1.0, "_length": 15_000}

    @pytest.mark.parametrize("status", [301, 302, 307])
    def test_a_redirect_is_refused(self, meter: Meter, status: int) -> None:
        meter.server.expect_request("/elsewhere").respond_with_data(WHOLE)
        headers = {"Location": meter.server.url_for("/elsewhere")}
        meter.server.expect_request("/cgi-bin/egauge").respond_with_data("", status, headers)
        with pytest.raises(drivers.DeviceError, match="redirect"):
            meter.driver().read()

    @pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
    def test_an_error_status(self, meter: Meter, status: int) -> None:
        meter.server.expect_request("/cgi-bin/egauge").respond_with_data("", status)
        with pytest.raises(drivers.DeviceError, match=str(status)):
            meter.driver().read()

    def test_a_body_without_end_is_cut(self, meter: Meter) -> None:
        meter.answers("<data>" + " " * 2_000_000)
        with pytest.raises(drivers.DeviceError, match="longer than"):
            meter.driver().read()

    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(drivers.DeviceError, match="no connection"):
            Driver(config(ip=f"127.0.0.1:{port}")).read()

    @pytest.mark.parametrize("ip", ["meter.invalid", "a..b", f"{'a' * 64}.local", "[::::]", "10.0.0.1:99999"])
    def test_a_name_that_leads_nowhere(self, ip: str) -> None:
        with pytest.raises(drivers.DeviceError):
            Driver(config(ip=ip, timeout=0.5)).read()

    @pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n<data>"])
    def test_silence_is_given_up(self, raw_server: "RawServer", sent: bytes) -> None:
        raw_server(lambda peer: (peer.sendall(sent), raw_server.ended.wait(5)))
        with pytest.raises(drivers.DeviceError, match="no answer in time"):
            Driver(config(ip=raw_server.address, timeout=0.2)).read()

    def test_dripping_is_given_up(self, raw_server: "RawServer") -> None:
        def drip(peer: socket.socket) -> None:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
            while not raw_server.ended.wait(0.02):
                peer.sendall(b" ")

        raw_server(drip)
        with pytest.raises(drivers.DeviceError, match="too long"):
            Driver(config(ip=raw_server.address, timeout=0.1)).read()

    @pytest.mark.parametrize(
        "sent",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n<data>",
            b"SSH-2.0-OpenSSH_9\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ],
    )
    def test_a_peer_that_hangs_up_or_speaks_something_else(
        self, raw_server: "RawServer", sent: bytes
    ) -> None:
        raw_server(lambda peer: peer.sendall(sent))
        with pytest.raises(drivers.DeviceError):
            Driver(config(ip=raw_server.address)).read()


class RawServer:
    """A TCP server whose answer to every connection is up to the test."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"

    def __call__(self, answer: Callable[[socket.socket], object]) -> None:
        threading.Thread(target=self._serve, args=[answer], daemon=True).start()

    def _serve(self, answer: Callable[[socket.socket], object]) -> None:
        try:
            while True:
                peer, _ = self._server.accept()
                with peer:
                    peer.recv(65536)
                    answer(peer)
        except OSError:
            return

    def close(self) -> None:
        self.ended.set()
        self._server.close()


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


class TestDigest:
    def test_the_password_is_proved_and_never_sent(self, meter: Meter) -> None:
        seen: list[str] = []

        def guard(request: Request) -> Response:
            seen.append(request.headers.get("Authorization", ""))
            if not seen[-1].startswith("Digest "):
                challenge = 'Digest realm="eGauge", nonce="n1", qop="auth", algorithm=MD5'
                return Response(status=401, headers={"WWW-Authenticate": challenge})
            return Response(xml(1000 + len(seen), Solar=0))

        meter.server.expect_request("/cgi-bin/egauge").respond_with_handler(guard)
        assert values(meter.driver(username="owner", password="hush-hush").read())["Solar"] == 0.0
        assert 'username="owner"' in seen[1]
        assert not any("hush-hush" in header for header in seen)

    def test_a_wrong_password_is_told_without_it(self, meter: Meter) -> None:
        meter.server.expect_request("/cgi-bin/egauge").respond_with_data("", 401)
        with pytest.raises(drivers.DeviceError, match="user name or password") as caught:
            meter.driver(username="owner", password="hush-hush").read()
        assert "hush-hush" not in str(caught.value)


class TestConfig:
    @pytest.mark.parametrize("ip", ["10.0.0.7", "10.0.0.7:8080", "egauge.local", "[fe80::1]:80", "meter_1"])
    def test_addresses(self, ip: str) -> None:
        assert config(ip=ip).ip == ip

    @pytest.mark.parametrize("ip", ["", "http://a", "a/b", "u:p@a", "a b", "a:x", "a?b", "a#b", "-a"])
    def test_what_is_more_than_an_address_is_refused(self, ip: str) -> None:
        with pytest.raises(drivers.ConfigError, match="Address or name") as caught:
            config(ip=ip)
        assert caught.value.field == "ip"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"keys": []}, "keys"),
            ({"keys": ["ts"]}, "keys"),
            ({"keys": ["a", "a"]}, "keys"),
            ({"keys": ["_length"]}, "keys"),
            ({"keys": ["a\n"]}, "keys"),
            ({"keys": ["a" * 201]}, "keys"),
            ({"keys": [{"name": "a", "quantity": "heat"}]}, "keys"),
            ({"keys": [{"nam": "a"}]}, "keys"),
            ({"t_sample": 0}, "t_sample"),
            ({"t_sample": "5"}, "t_sample"),
            ({"timeout": 600}, "timeout"),
            ({"username": "owner"}, "password"),
            ({"password": "hush"}, "username"),
            ({"pasword": "hush"}, "pasword"),
        ],
    )
    def test_faults_name_their_setting(self, changes: dict[str, Any], field: str) -> None:
        with pytest.raises(drivers.ConfigError) as caught:
            config(**changes)
        assert caught.value.field == field
        assert "hush" not in str(caught.value)

    def test_the_meters_own_clock_among_the_keys_is_passed_over(self) -> None:
        assert [field.name for field in declared("A.Solar", "ts")] == ["A.Solar"]


def declared(*keys: Any) -> list[drivers.Field]:
    return drivers.load("egauge").fields(config(keys=list(keys)))


class TestFields:
    @pytest.mark.parametrize(
        ("name", "role", "factor"),
        [
            ("A.Solar", "solar", 1.0),
            ("A.BATTERY", "battery", 1.0),
            ("A.GridPower", "grid", -1.0),
            ("grid", "grid", -1.0),
            ("House.B.EV", "ev", -1.0),
            ("A.Load", "load", -1.0),
            ("A.SubPanel", None, 1.0),
            ("Solar.Inverter", None, 1.0),
        ],
    )
    def test_names_tell_roles(self, name: str, role: str | None, factor: float) -> None:
        (field,) = declared(name)
        assert (field.role, field.factor, field.unit, field.kind) == (role, factor, "kW", "interval")

    @pytest.mark.parametrize(
        ("name", "quantity", "unit"),
        [
            ("A.L1_Voltage", "voltage", "V"),
            ("A.L2_Frequency", "frequency", "Hz"),
            ("Heat pump", "power", "kW"),
        ],
    )
    def test_names_tell_quantities(self, name: str, quantity: str, unit: str) -> None:
        (field,) = declared(name)
        assert (field.quantity, field.unit, field.role, field.factor) == (quantity, unit, None, 1.0)

    def test_an_object_overrides_what_the_name_tells(self) -> None:
        subpanel, solar, ev, amps = declared(
            {"name": "A.SubPanel", "role": "load"},
            {"name": "A.Solar", "role": None},
            {"name": "A.EV", "factor": 1},
            {"name": "A.Load", "quantity": "current"},
        )
        assert (subpanel.role, subpanel.factor) == ("load", -1.0)
        assert (solar.role, solar.factor) == (None, 1.0)
        assert (ev.role, ev.factor, ev.sign) == ("ev", 1.0, "+ = charging")
        assert (amps.quantity, amps.unit, amps.role) == ("current", "A", None)

    def test_signs_are_told_in_words(self) -> None:
        assert [field.sign for field in declared("Grid", "Battery", "L1_Voltage")] == [
            "+ = export, − = import",
            "+ = discharging, − = charging",
            "never negative",
        ]


def test_a_meter_takes_no_commands() -> None:
    with pytest.raises(drivers.DeviceError):
        Driver(config()).act({"action": "on"})
