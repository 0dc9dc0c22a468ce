import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import mean
from typing import Any

import pytest

from collectors.agent.device import Device, Reader
from collectors.agent.fleet import Fleet
from collectors.agent.orders import Order, Orders, Outcome
from collectors.agent.poller import TOO_LATE, Poller, until_next_poll
from collectors.agent.spool import Row, Spool
from collectors.agent.timekeeping import Timekeeper
from collectors.drivers import ConfigError, DeviceError, Event, Reading, ReadResult
from collectors.simulation.egauge import Simulator
from tests.collectors.agent.conftest import device
from tests.collectors.agent.desk import wait_until
from tests.collectors.agent.drivers_for_tests import Driver

NOW = 1_790_000_000.0


def rows(spool: Spool, source: str = "toy") -> list[Row]:
    return [entry.row for entry in spool.oldest(rows=10_000, size=10**9) if entry.row.source == source]


def entry(name: str = "toy", interval_s: float = 0.05, **config: Any) -> dict[str, Any]:
    return {"name": name, "type": "toy", "interval_s": interval_s, "config": config}


def egauge(name: str, address: str, **config: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "egauge",
        "interval_s": 0.5,
        "config": {"ip": address, "keys": ["a"], **config},
    }


def poller(spool: Spool, **config: Any) -> Poller:
    return Poller(reader(spool, **config), spool, Orders(spool))


def reader(spool: Spool, monotonic: Callable[[], float] = time.monotonic, **config: Any) -> Reader:
    """A reader of a toy, on a machine whose clock stands at NOW and is known to be right."""
    timekeeper = Timekeeper(clock=lambda: NOW, since_boot=lambda: 1000.0)
    timekeeper.learn(None)
    return Reader(Device("toy", "toy", 60.0, config), spool.recall, timekeeper, monotonic=monotonic)


@pytest.mark.usefixtures("toy")
class TestPoll:
    def test_a_mapping_is_stamped_when_it_comes(self, spool: Spool) -> None:
        poller(spool, say=2).poll()
        (row,) = rows(spool)
        assert (row.timestamp, json.loads(row.body)) == (1_790_000_000_000, {"fields": {"x": 2.0}})

    def test_a_result_keeps_its_own_stamps_and_events(self, spool: Spool) -> None:
        own = ReadResult(
            [Reading(5, {"x": 1.0}), Reading(6, {"x": 2.0})], [Event(7, "EV_END", {"energy": 3})]
        )
        poller(spool, say=own).poll()
        assert [(row.timestamp, row.what) for row in rows(spool)] == [
            (5, "reading"),
            (6, "reading"),
            (7, "event"),
        ]

    def test_a_failure_is_one_warning_event_however_long_it_lasts(
        self, spool: Spool, caplog: pytest.LogCaptureFixture
    ) -> None:
        failing = poller(spool, fail="device", token="s3cret")
        for _ in range(3):
            failing.poll()
        (row,) = rows(spool)
        assert json.loads(row.body) == {"type": "WARNING", "data": {"data": "The device refused •••."}}
        assert caplog.text.count("The device refused") == 1
        assert "s3cret" not in caplog.text

    def test_a_bug_in_a_driver_is_a_failure_that_shows_no_value(
        self, spool: Spool, caplog: pytest.LogCaptureFixture
    ) -> None:
        poller(spool, fail="bug", token="s3cret").poll()
        text = json.loads(rows(spool)[0].body)["data"]["data"]
        assert "KeyError in read" in text
        assert "s3cret" not in text + caplog.text

    def test_recovery_is_told_once_the_device_was_read_for_a_while(
        self, spool: Spool, caplog: pytest.LogCaptureFixture
    ) -> None:
        moments = iter(range(0, 1_000, 10))
        recovering = Poller(
            reader(spool, monotonic=lambda: next(moments), fail="first"), spool, Orders(spool)
        )
        with caplog.at_level(logging.INFO):
            for _ in range(5):
                recovering.poll()
        assert [row.what for row in rows(spool)] == ["event", *["reading"] * 3, "event"]
        assert json.loads(rows(spool)[-1].body) == {
            "type": "WARNING",
            "data": {"data": "Not yet.", "cleared": True},
        }
        assert caplog.text.count("reads again") == 1

    def test_a_value_that_is_none_is_the_devices_failure(self, spool: Spool) -> None:
        poller(spool, say={"nested": 1}).poll()
        assert "dict" in json.loads(rows(spool)[0].body)["data"]["data"]

    def test_a_disk_that_fails_ends_nothing(self, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
        steady = poller(spool)
        spool.close()
        steady.poll()
        steady.poll()
        assert caplog.text.count("cannot be kept on disk") == 1

    def test_a_driver_that_cannot_start_is_tried_again_and_tells_no_secret(
        self, spool: Spool, toy: type[Driver], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failing = reader(spool, fail="start", token="s3cret")
        assert failing.fault
        assert "OSError" in failing.fault
        assert "s3cret" not in failing.fault
        Poller(failing, spool, Orders(spool)).poll()
        assert json.loads(rows(spool)[0].body)["data"]["data"] == failing.fault
        monkeypatch.setattr(toy, "__init__", lambda self, config: setattr(self, "config", config))
        monkeypatch.setattr(toy, "read", lambda _: {"x": 1.0})
        Poller(failing, spool, Orders(spool)).poll()
        assert [row.what for row in rows(spool)] == ["event", "reading"]

    def test_a_wrong_configuration_names_its_setting(self, spool: Spool) -> None:
        with pytest.raises(ConfigError, match="colour"):
            poller(spool, colour="red")


@pytest.mark.parametrize(
    ("now", "interval", "shift", "pause"),
    [
        (1000.0, 10.0, 0.0, 10.0),
        (1003.0, 10.0, 0.0, 7.0),
        (1003.0, 10.0, 0.5, 7.5),
        (1000.2, 10.0, 0.5, 0.3),
        (1035.0, 10.0, 0.0, 5.0),  # a read that took three intervals costs the polls in between
        (1000.3, 0.25, 0.0, 0.2),
    ],
)
def test_polls_are_aligned_but_for_a_shift(now: float, interval: float, shift: float, pause: float) -> None:
    assert until_next_poll(now, interval, shift) == pytest.approx(pause)


def pollers() -> dict[str, threading.Thread]:
    return {thread.name: thread for thread in threading.enumerate() if isinstance(thread, Poller)}


class TestFleet:
    @pytest.fixture
    def fleet(self, spool: Spool, toy: type[Driver], timekeeper: Timekeeper) -> Any:
        fleet = Fleet(spool, timekeeper, Orders(spool))
        yield fleet
        fleet.stop(timeout=0.05)

    def test_devices_that_stay_the_same_keep_their_driver_and_thread(
        self, fleet: Fleet, spool: Spool, toy: type[Driver]
    ) -> None:
        fleet.apply([entry("kept", say=1), entry("changed", say=1), entry("gone", say=1)])
        before = pollers()
        fleet.apply([entry("changed", say=2), entry("kept", say=1)])
        wait_until(lambda: not before["poll changed"].is_alive() and not before["poll gone"].is_alive())
        assert pollers().keys() == {"poll kept", "poll changed"}
        assert pollers()["poll kept"] is before["poll kept"]
        assert len(toy.made) == 4

    @pytest.mark.parametrize("change", [{"interval_s": 0.07}, {"say": 5}])
    def test_what_changed_is_used(
        self, fleet: Fleet, spool: Spool, toy: type[Driver], change: dict[str, Any]
    ) -> None:
        fleet.apply([entry()])
        fleet.apply([entry(**change)])
        assert len(toy.made) == 2

    def test_a_slow_device_delays_no_other(self, fleet: Fleet, spool: Spool, toy: type[Driver]) -> None:
        fleet.apply([entry("slow", fail="slow"), entry("quick")])
        wait_until(lambda: len(rows(spool, "quick")) >= 10, seconds=3)
        assert [driver.reads for driver in toy.made] == [1, toy.made[1].reads]

    def test_a_silent_meter_delays_no_other(
        self, fleet: Fleet, spool: Spool, meter: Simulator, silent_address: str
    ) -> None:
        silent = device(meter, "silent", config={"ip": silent_address, "keys": ["a"], "timeout": 60})
        fleet.apply([silent, device(meter)])
        wait_until(lambda: rows(spool, "egauge"), seconds=5)
        assert rows(spool, "silent") == []

    def test_the_cadence_of_others_stays_within_a_fifth(
        self, fleet: Fleet, spool: Spool, silent_address: str, garbage_address: str
    ) -> None:
        """One device answers only after a minute, one answers garbage, one refuses connections."""
        ill = {"late": silent_address, "garbage": garbage_address, "refusing": "127.0.0.1:9"}
        healthy = ["a", "b"]
        fleet.apply(
            [
                *(egauge(name, address, timeout=60) for name, address in ill.items()),
                *(entry(name, interval_s=0.5) for name in healthy),
            ]
        )
        wait_until(lambda: min(len(rows(spool, name)) for name in healthy) > 20, seconds=30)
        for name in healthy:
            stamps = [row.timestamp for row in rows(spool, name)][1:]
            gaps = sorted(later - earlier for earlier, later in pairwise(stamps))
            assert mean(gaps) == pytest.approx(500, rel=0.2)
            assert gaps[len(gaps) // 10] >= 400
            assert gaps[-1 - len(gaps) // 10] <= 600
        assert {name: len(rows(spool, name)) for name in ill} == {"late": 0, "garbage": 1, "refusing": 1}

    def test_a_device_is_asked_by_one_poller_at_a_time(
        self, fleet: Fleet, toy: type[Driver], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        released, busy, together = threading.Event(), threading.Semaphore(1), []

        def read(driver: Driver) -> dict[str, float]:
            together.append(busy.acquire(blocking=False))
            released.wait(10)
            busy.release()
            return {"x": driver.config.say}

        monkeypatch.setattr(toy, "read", read)
        for say in (1, 2, 3):
            fleet.apply([entry(say=say)])
            wait_until(lambda: together)
        released.set()
        wait_until(lambda: len(together) >= 3)
        assert all(together)

    def test_one_interval_for_all_when_asked_for(
        self, spool: Spool, toy: type[Driver], timekeeper: Timekeeper
    ) -> None:
        hasty = Fleet(spool, timekeeper, Orders(spool), interval=0.02)
        hasty.apply([entry(interval_s=60)])
        wait_until(lambda: len(rows(spool)) >= 3)
        assert hasty.stop()

    def test_what_cannot_be_read_is_told_and_the_rest_runs(
        self, fleet: Fleet, spool: Spool, toy: type[Driver]
    ) -> None:
        faults = fleet.apply(
            [
                entry("a", colour="red"),
                {"name": "b", "type": "toaster", "interval_s": 1, "config": {}},
                entry("c", interval_s=0),
                {"name": "d"},
                "e",
                entry("f"),
                entry("f", say=3),
                entry("g", fail="start"),
            ]
        )
        assert [fault["device"] for fault in faults] == ["c", "d", "?", "f", "a", "b", "g"]
        assert all(fault["message"] for fault in faults)
        wait_until(lambda: rows(spool, "f"))

    def test_a_broken_driver_is_its_devices_fault_alone(
        self, fleet: Fleet, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "collectors.drivers.broken", None)
        monkeypatch.setattr("collectors.drivers.registry.kinds", lambda: ["broken", "toy"])
        (fault,) = fleet.apply([{**entry("a"), "type": "broken"}, entry("b")])
        assert fault["device"] == "a"
        assert "its driver is broken" in fault["message"]
        wait_until(lambda: rows(spool, "b"))

    def test_a_device_that_was_mended_is_read(self, fleet: Fleet, spool: Spool) -> None:
        assert fleet.apply([entry(colour="red")])
        assert fleet.apply([entry()]) == []
        wait_until(lambda: rows(spool))

    def test_stopping_does_not_wait_for_a_silent_device(self, fleet: Fleet) -> None:
        fleet.apply([entry("slow", fail="slow")])
        begun = time.monotonic()
        fleet.stop(timeout=0.1)
        assert time.monotonic() - begun < 1


def test_a_devices_repr_shows_no_setting() -> None:
    assert "hush" not in repr(Device("a", "egauge", 5.0, {"password": "hush"}))


def order(number: int = 7, name: str = "toy", expires_at: float = NOW * 1000 + 60_000, **data: Any) -> Order:
    return Order(number, name, data, round(expires_at))


class Obedient(Driver):
    """Does what it is told, remembers how often, and fails when told to."""

    def memory(self) -> dict[str, Any]:
        return {"done": getattr(self, "done", 0)}

    def recall(self, memory: Any) -> None:
        self.done = memory["done"]

    def act(self, data: Any, keep: Any = None) -> None:
        if "refuse" in data:
            raise DeviceError(f"It does not want {self.config.token}.")
        if "break" in data:
            raise KeyError(self.config.token)
        self.done = getattr(self, "done", 0) + 1
        if "power cut" in data:
            keep()
            raise SystemExit


class TestOrders:
    @pytest.fixture(autouse=True)
    def _obedient(self, toy: type[Driver], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.modules["collectors.drivers.toy"], "Driver", Obedient)

    @pytest.fixture
    def orders(self, spool: Spool) -> Orders:
        return Orders(spool)

    def obey(self, spool: Spool, orders: Orders, what: Order) -> tuple[str, str]:
        Poller(reader(spool, token="s3cret"), spool, orders).obey(what)
        (outcome,) = orders.outcomes()
        assert outcome.id == what.id
        return outcome.state, outcome.message

    def test_what_was_done_is_verified_and_remembered(self, spool: Spool, orders: Orders) -> None:
        assert self.obey(spool, orders, order()) == ("verified", "")
        assert json.loads(spool.recall("driver/toy") or b"")["content"] == {"done": 1}

    def test_what_the_device_refused_has_failed_and_shows_no_secret(
        self, spool: Spool, orders: Orders, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            assert self.obey(spool, orders, order(refuse=True)) == ("failed", "It does not want •••.")
        assert "s3cret" not in caplog.text

    def test_a_bug_in_a_driver_has_failed(self, spool: Spool, orders: Orders) -> None:
        state, message = self.obey(spool, orders, order(**{"break": True}))
        assert state == "failed"
        assert "KeyError in act" in message
        assert "s3cret" not in message

    def test_what_came_too_late_is_not_done(self, spool: Spool, orders: Orders) -> None:
        state, message = self.obey(spool, orders, order(expires_at=NOW * 1000))
        assert (state, message) == ("failed", TOO_LATE)
        assert spool.recall("driver/toy") is None

    def test_after_a_power_cut_in_the_midst_the_driver_remembers_and_nothing_is_done_twice(
        self, spool: Spool, orders: Orders
    ) -> None:
        with pytest.raises(SystemExit):
            Poller(reader(spool), spool, orders).obey(order(**{"power cut": True}))
        restarted = Orders(spool)
        assert restarted.knows(7)
        assert [outcome.state for outcome in restarted.outcomes()] == ["failed"]
        assert json.loads(spool.recall("driver/toy") or b"")["content"] == {"done": 1}

    def test_a_device_obeys_between_its_reads(
        self, spool: Spool, orders: Orders, timekeeper: Timekeeper
    ) -> None:
        fleet = Fleet(spool, timekeeper, orders)
        soon = time.time() * 1000 + 60_000
        try:
            fleet.apply([entry(interval_s=3_600)])
            given = [order(number, expires_at=soon) for number in (1, 2)]
            fleet.give(given)
            fleet.give(given)  # as the next look at the server lists them again
            wait_until(lambda: len(orders.outcomes()) == 2)
            assert json.loads(spool.recall("driver/toy") or b"")["content"] == {"done": 2}
        finally:
            fleet.stop()

    def test_an_order_to_a_device_that_is_configured_anew_is_carried_out_by_the_new_one(
        self, spool: Spool, orders: Orders, timekeeper: Timekeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading, goes_on = threading.Event(), threading.Event()

        def read(driver: Obedient) -> dict[str, float]:
            reading.set()
            goes_on.wait(10)
            return {"x": 1.0}

        monkeypatch.setattr(Obedient, "read", read)
        fleet = Fleet(spool, timekeeper, orders)
        waiting = order(expires_at=time.time() * 1000 + 60_000)
        try:
            fleet.apply([entry(interval_s=0.01)])
            assert reading.wait(5)
            old = pollers()["poll toy"]
            fleet.give([waiting])
            fleet.apply([entry(interval_s=3_600)])
            goes_on.set()
            wait_until(lambda: not old.is_alive())
            assert orders.outcomes() == []
            fleet.give([waiting])
            wait_until(lambda: orders.outcomes() == [Outcome(7, "verified")])
        finally:
            goes_on.set()
            fleet.stop()

    def test_of_a_device_that_is_not_read_here_the_order_fails(
        self, spool: Spool, orders: Orders, timekeeper: Timekeeper
    ) -> None:
        Fleet(spool, timekeeper, orders).give([order(name="nobody")])
        assert orders.outcomes()[0].message == "The agent does not read this device."
