"""What a reader makes of a driver: its memory, its warnings and its stamps."""

import json
import sqlite3
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from collectors.agent.device import Device, Reader
from collectors.agent.orders import Orders
from collectors.agent.poller import Poller
from collectors.agent.spool import Row, Spool
from collectors.agent.timekeeping import Timekeeper
from collectors.drivers import DeviceError, Event, Reading, ReadResult, warning
from tests.collectors.agent.drivers_for_tests import Driver

NOW = 1_790_000_000.0
NOW_MS = round(NOW * 1000)


class Session(Driver):
    """Counts its reads over restarts, and says which of them began something."""

    def memory(self) -> Mapping[str, Any]:
        return {"count": getattr(self, "count", 0)}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.count = memory["count"]

    def read(self) -> ReadResult:
        self.count = getattr(self, "count", 0) + 1
        return ReadResult([Reading(NOW_MS, {"x": self.count})], [Event(NOW_MS, "READ", {"n": self.count})])


def keeper(wall: float = NOW, *, known: bool = True) -> Timekeeper:
    timekeeper = Timekeeper(clock=lambda: wall, since_boot=lambda: 1000.0)
    if known:
        timekeeper.learn(None)
    return timekeeper


def reader(spool: Spool, timekeeper: Timekeeper | None = None, **config: Any) -> Reader:
    return Reader(Device("toy", "toy", 60.0, config), spool.recall, timekeeper or keeper())


def poll(spool: Spool, own: Reader | None = None, times: int = 1) -> list[dict[str, Any]]:
    """Poll so often; the bodies of all that was ever spooled."""
    poller = Poller(own or reader(spool), spool, Orders(spool))
    for _ in range(times):
        poller.poll()
    return [json.loads(row.body) for row in spooled(spool)]


def spooled(spool: Spool) -> list[Row]:
    return [entry.row for entry in spool.oldest(rows=10_000, size=10**9)]


class TestMemory:
    @pytest.fixture(autouse=True)
    def _session(self, toy: type[Driver], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.modules["collectors.drivers.toy"], "Driver", Session)

    def test_a_new_driver_goes_on_where_the_last_read_was_kept(self, spool: Spool) -> None:
        poll(spool, times=2)
        bodies = poll(spool, reader(spool, say=2.0), times=1)  # restarted, and configured anew
        assert [body["fields"]["x"] for body in bodies if "fields" in body] == [1, 2, 3]
        assert [body["data"]["n"] for body in bodies if "type" in body] == [1, 2, 3]

    def test_a_read_that_was_not_kept_is_not_remembered(self, spool: Spool) -> None:
        poll(spool)
        stopped = Poller(reader(spool), spool, Orders(spool))
        stopped.stop()
        stopped.poll()
        assert [body["fields"]["x"] for body in poll(spool) if "fields" in body] == [1, 2]

    def test_another_kind_s_memory_is_not_its_own(self, spool: Spool) -> None:
        spool.add([], {"driver/toy": b'{"type": "egauge", "content": {"count": 40}}'})
        assert poll(spool)[0] == {"fields": {"x": 1.0}}

    @pytest.mark.parametrize("kept", [b"{", b'{"type": "toy", "content": {}}'])
    def test_a_memory_that_does_harm_is_left(
        self, spool: Spool, kept: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool.add([], {"driver/toy": kept})
        assert poll(spool)[0] == {"fields": {"x": 1.0}}
        assert "does not remember" in caplog.text

    def test_a_warning_of_a_driver_that_remembers_is_its_own_to_clear(
        self, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events = [warning(NOW_MS, "hot")]
        monkeypatch.setattr(Session, "read", lambda _: ReadResult([], events))
        poll(spool)
        events.clear()
        assert len(poll(spool)) == 1


@pytest.mark.usefixtures("toy")
class TestWarnings:
    def test_a_restart_of_a_driver_without_memory_clears_what_it_does_not_repeat(self, spool: Spool) -> None:
        poll(spool, reader(spool, say=ReadResult([], [warning(NOW_MS, "hot"), warning(NOW_MS, "loud")])))
        bodies = poll(spool, reader(spool, say=ReadResult([], [warning(NOW_MS, "hot")])))
        assert [body["data"] for body in bodies] == [
            {"data": "hot"},
            {"data": "loud"},
            {"data": "loud", "cleared": True},
        ]

    def test_a_restart_while_it_fails_is_no_second_warning(self, spool: Spool) -> None:
        poll(spool, reader(spool, fail="device"))
        assert len(poll(spool, reader(spool, fail="device"), times=3)) == 1

    def test_a_field_that_never_rests_is_warned_of_once(
        self, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("collectors.agent.states.MOST_A_DAY", 3)
        restless = ReadResult([Reading(NOW_MS + n, {"x": f"at {n}"}) for n in range(9)])
        bodies = poll(spool, reader(spool, say=restless), times=2)
        assert len([body for body in bodies if "states" in body]) == 3
        (warned,) = [body["data"] for body in bodies if "type" in body]
        assert "x changed more than 3 times" in warned["data"]


@pytest.mark.usefixtures("toy")
class TestStamps:
    def test_stamps_from_our_clock_are_corrected_with_it_and_those_of_the_device_are_not(
        self, spool: Spool
    ) -> None:
        wrong = Timekeeper(clock=lambda: 5.0, since_boot=lambda: 2.0)
        wrong.learn("Mon, 21 Sep 2026 14:13:20 GMT")  # NOW
        say = ReadResult([Reading(NOW_MS - 7_000, {"x": 1}), Reading(4_000, {"x": 2})])
        poll(spool, reader(spool, wrong, say=say))
        own, ours = [row.timestamp for row in spooled(spool)]
        assert own == NOW_MS - 7_000
        assert abs(ours - (NOW_MS - 1_000)) <= 1_000

    def test_while_the_time_is_unknown_ours_wait(self, spool: Spool) -> None:
        poll(spool, reader(spool, keeper(known=False), say=2.0))
        assert spooled(spool) == []
        assert spool.right(NOW_MS - 1_000_000) == 0
        assert [row.timestamp for row in spooled(spool)] == [NOW_MS]

    @pytest.mark.parametrize("stamp", [-1, 2**70, float("nan"), None, "noon"])
    def test_a_stamp_that_is_none_is_the_devices_failure(self, spool: Spool, stamp: Any) -> None:
        (body,) = poll(spool, reader(spool, say=ReadResult([Reading(stamp, {"x": 1})])))
        assert body["type"] == "WARNING"
        assert "no moment" in body["data"]["data"]


@pytest.mark.usefixtures("toy")
def test_a_spool_that_cannot_be_asked_is_no_fault_of_the_device(spool: Spool) -> None:
    own = reader(spool)
    spool.close()
    with pytest.raises(sqlite3.Error):
        own.read()


def test_a_missing_part_that_comes_later_is_found(
    toy: type[Driver], spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(self: Driver, config: Any) -> None:
        raise DeviceError("There is no serial port.")

    whole = toy.__init__
    monkeypatch.setattr(toy, "__init__", missing)
    own = reader(spool)
    assert own.fault == "There is no serial port."
    assert [body["type"] for body in poll(spool, own, times=2)] == ["WARNING"]
    monkeypatch.setattr(toy, "__init__", whole)
    assert poll(spool, own)[-1] == {"fields": {"x": 1.0}}
