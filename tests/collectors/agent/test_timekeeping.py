from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest

from collectors.agent import timekeeping
from collectors.agent.spool import Row, Spool
from collectors.agent.timekeeping import Stamp, Timekeeper, boot_id, since_boot
from tests.collectors.agent.test_spool import waiting

NOON = 1_790_000_000.0  # seconds
BOOTED = NOON - 100


class Machine:
    """A computer whose clock can be set while time goes on."""

    def __init__(self, wall: float = NOON) -> None:
        self.true, self.off = NOON, wall - NOON
        self.keeper = Timekeeper(clock=lambda: self.true + self.off, since_boot=lambda: self.true - BOOTED)

    def server_date(self) -> str:
        return formatdate(self.true, usegmt=True)

    def stamp(self) -> Stamp:
        return self.keeper.place(self.keeper.wall())


def add(spool: Spool, stamp: Stamp) -> None:
    spool.add([Row("a", stamp.timestamp, "reading", b'{"fields":{}}', stamp.basis)])


def ms(seconds: float) -> int:
    return round(seconds * 1000)


def test_until_the_server_answered_stamps_are_provisional() -> None:
    machine = Machine()
    assert machine.keeper.booted is None
    assert machine.stamp() == Stamp(ms(NOON), ms(BOOTED))


def test_a_clock_that_the_server_agrees_with_is_believed_to_the_millisecond() -> None:
    machine = Machine(NOON + 30.125)
    machine.keeper.learn(machine.server_date())
    assert machine.stamp() == Stamp(ms(NOON + 30.125))


@pytest.mark.parametrize("wall", [0.0, NOON - 86_400, NOON + 3_600])
def test_a_clock_that_is_far_off_is_corrected_but_told_as_it_is(wall: float) -> None:
    machine = Machine(wall)
    machine.keeper.learn(machine.server_date())
    stamp = machine.stamp()
    assert abs(stamp.timestamp - ms(NOON)) <= 1_000
    assert stamp.basis is None
    assert machine.keeper.wall() == ms(wall)
    assert machine.keeper.now() == stamp.timestamp


def test_the_seconds_of_the_servers_dates_do_not_shuffle_stamps() -> None:
    machine = Machine(5.0)
    stamps = []
    for _ in range(40):
        machine.true += 0.3
        machine.keeper.learn(machine.server_date())
        stamps.append(machine.stamp().timestamp)
    assert {later - earlier for earlier, later in pairwise(stamps)} <= {299, 300, 301}
    machine.true += 7_200
    machine.keeper.learn(formatdate(machine.true + 60, usegmt=True))
    assert machine.keeper.now() == pytest.approx(ms(machine.true + 60), abs=1_000)


def test_a_clock_that_is_set_later_moves_no_stamp_back() -> None:
    machine = Machine(NOON - 86_400)
    machine.keeper.learn(machine.server_date())
    stamps = []
    for off in (-86_400.0, -86_400.0, 0.0, 0.0, 500.0):
        machine.true += 10
        machine.off = off
        stamps.append(machine.stamp().timestamp)
    assert all(9_000 <= later - earlier <= 11_000 for earlier, later in pairwise(stamps))


@pytest.mark.parametrize("date", [None, "", "yesterday", formatdate(5, usegmt=True)])
def test_without_a_date_of_use_a_clock_that_was_set_is_believed_and_another_is_not(date: str | None) -> None:
    right, unset = Machine(), Machine(7.0)
    for machine in (right, unset):
        machine.keeper.learn(date)
    assert right.stamp() == Stamp(ms(NOON))
    assert unset.keeper.booted is None


def test_what_was_read_before_the_time_was_known_is_put_right_in_order(tmp_path: Path) -> None:
    spool, machine = Spool(tmp_path / "s"), Machine(3.0)
    truth = []
    for off in (3 - NOON, 3 - NOON, -40_000.0):  # 1970, and then a first guess
        machine.true += 10
        machine.off = off
        truth.append(ms(machine.true))
        add(spool, machine.stamp())
    assert waiting(spool) == []
    assert len(spool) == 3
    machine.keeper.learn(machine.server_date())
    assert machine.keeper.booted
    assert spool.right(machine.keeper.booted) == 0
    found = [row.timestamp for row in waiting(spool)]
    assert found == sorted(found)
    assert all(abs(stamp - true) <= 1_000 for stamp, true in zip(found, truth, strict=True))
    assert spool.right(machine.keeper.booted + 10**7) == 0
    assert [row.timestamp for row in waiting(spool)] == found
    spool.close()


def test_a_right_clock_s_stamps_stay_as_they_were(tmp_path: Path) -> None:
    spool, machine = Spool(tmp_path / "s"), Machine(NOON + 5.003)
    add(spool, machine.stamp())
    machine.true += 60
    machine.keeper.learn(machine.server_date())
    assert machine.keeper.booted
    spool.right(machine.keeper.booted)
    assert [row.timestamp for row in waiting(spool)] == [ms(NOON + 5.003)]
    spool.close()


def test_of_an_earlier_boot_only_what_has_no_time_at_all_is_put_aside(tmp_path: Path) -> None:
    before = Spool(tmp_path / "s", boot="before")
    add(before, Stamp(5_000, 1))
    add(before, Stamp(ms(NOON), ms(BOOTED)))
    before.close()
    spool = Spool(tmp_path / "s", boot="now")
    assert spool.right(ms(BOOTED + 500)) == 1
    assert [row.timestamp for row in waiting(spool)] == [ms(NOON)]
    ((reason, letter),) = spool.dead()
    assert reason == "time not known"
    assert b'"timestamp":5000' in letter
    assert len(spool) == 1
    spool.close()


def test_time_since_boot_goes_on_and_a_boot_has_one_name() -> None:
    first = since_boot()
    assert 0 < first <= since_boot()
    if timekeeping.THIS_BOOT.exists():
        assert boot_id() == boot_id()


def test_a_machine_that_does_not_name_its_boots_has_one_for_each_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timekeeping, "THIS_BOOT", tmp_path / "none")
    assert boot_id() != boot_id()
