"""The simulated logger: rows of its meters, files on its flash, and what it does on each reply."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from collectors.simulation import loggers
from collectors.simulation.acquisuite import (
    METERS,
    SECOND_HAND_KWH,
    Box,
    Logger,
    Step,
    checksum,
    rows,
    says_success,
)
from collectors.simulation.world import World

START = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
DAY = 86_400
NEVER = "0000-00-00 00:00:00"


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, START * 1000)


def table(world: World, box: Box, meter: str, hours: float = 24) -> list[list[str]]:
    found = rows(world, box, METERS[meter], START, START + hours * 3600)
    return [row.split(",") for row, _ in found]


class Server:
    """Answers by mode; `requests` keeps the variables of each."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = answers
        self.requests: list[dict[str, str]] = []

    def __call__(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        text = body.decode("latin-1")
        found = re.findall(r'name="([A-Z0-9]+)"\r\n\r\n(.*?)\r\n', text)
        self.requests.append(dict(found))
        return self.answers.get(dict(found)["MODE"], (200, "\nSUCCESS\n"))

    @property
    def modes(self) -> list[str]:
        return [one["MODE"] for one in self.requests]


class TestRows:
    def test_are_as_wide_as_their_class_and_begin_with_a_start(self, world: World) -> None:
        for name in METERS:
            found = table(world, Box("A", "b"), name)
            assert {len(row) for row in found} == {4 + METERS[name].kind.width}
            assert found[0][1] == "160"
            assert len(found) == 96

    def test_stamps_are_off_the_grid_and_those_of_a_skewed_clock(self, world: World) -> None:
        found = [row[0] for row in table(world, Box("A", "b"), "load")]
        assert len({stamp[-4:] for stamp in found}) > 10
        skewed = [row[0] for row in table(world, Box("A", "b", skew=-40), "load")]
        assert found[5] != skewed[5]

    def test_powers_balance_and_registers_grow(self, world: World) -> None:
        box = Box("A", "b", jitter=0, faults=0)
        load, solar, utility = (table(world, box, name)[1:] for name in ("load", "solar", "utility"))
        for one, two, three in zip(load, solar, utility, strict=True):
            assert float(one[5]) == pytest.approx(float(two[14]) + float(three[14]), abs=2e-3)
        for column in (5, 6):
            registers = [float(row[column]) for row in utility]
            assert registers == sorted(registers)
            assert registers[-1] > 0
        assert any(float(row[14]) < 0 for row in utility)

    def test_demand_is_the_mean_of_the_interval_that_ends_at_the_stamp(self, world: World) -> None:
        found = table(world, Box("A", "b", jitter=0, faults=0), "load")[1:]
        for before, now in pairwise(found):
            grown = (float(now[4]) - float(before[4])) * 4
            assert float(now[27]) == pytest.approx(grown, abs=0.01)

    def test_now_and_then_a_meter_does_not_answer(self, world: World) -> None:
        found = table(world, Box("A", "b", faults=0.1), "load")
        mute = [row for row in found if row[1] == "139"]
        assert 3 < len(mute) < 25
        assert set(mute[0][2:]) == {""}

    def test_another_meter_goes_on_from_a_register_of_its_own(self, world: World) -> None:
        box = Box("A", "b", jitter=0, faults=0)
        as_ever = [float(row[4]) for row in table(world, box, "load", 48)[1:]]
        swapped = [
            float(row[4]) for row in table(world, replace(box, swapped=START + 36 * 3600), "load", 48)[1:]
        ]
        assert swapped[:143] == as_ever[:143]
        assert swapped[143] == SECOND_HAND_KWH
        for one, other in zip(as_ever[143:], swapped[143:], strict=True):
            assert other - SECOND_HAND_KWH == pytest.approx(one - as_ever[143], abs=0.01)

    def test_are_the_same_for_whoever_asks(self, world: World) -> None:
        assert table(world, Box("A", "b"), "load") == table(World(7, START * 1000), Box("A", "b"), "load")


class TestSessions:
    def logger(self, world: World, **changes: object) -> Logger:
        one = Logger(world, Box("001EC6000001", "secret", **changes), start=START)  # type: ignore[arg-type]
        one.log(START + DAY)
        return one

    def test_report_compare_then_files(self, world: World) -> None:
        one, server = self.logger(world), Server(CONFIGFILEMANIFEST=(200, ""))
        assert len(one.files) == 3
        one.session(server, START + DAY)
        assert server.modes == ["STATUS", "CONFIGFILEMANIFEST", *["LOGFILEUPLOAD"] * 3]
        assert one.files == []
        told = server.requests[2]
        assert (told["MODBUSDEVICE"], told["MODBUSDEVICECLASS"], told["PASSWORD"]) == ("1", "2", "secret")

    def test_files_are_gzip_with_their_own_checksum(self, world: World) -> None:
        (file, *_) = self.logger(world).files
        assert gzip.decompress(file.body).startswith(b"'2026-06-01 00:")
        assert re.fullmatch(r"mb-001\.[0-9A-F]{8}\.log\.gz", file.name)

    @pytest.mark.parametrize("status", [401, 402, 403, 404, 407])
    def test_some_replies_end_the_session(self, world: World, status: int) -> None:
        one, server = self.logger(world), Server(LOGFILEUPLOAD=(status, "FAILURE: x"))
        one.session(server, START + DAY)
        assert (len(one.files), server.modes.count("LOGFILEUPLOAD")) == (3, 1)

    def test_406_skips_the_file(self, world: World) -> None:
        one, server = self.logger(world), Server(LOGFILEUPLOAD=(406, "FAILURE: x"))
        one.session(server, START + DAY)
        assert (len(one.files), server.modes.count("LOGFILEUPLOAD")) == (3, 3)

    @pytest.mark.parametrize("answer", [(200, "FAILURE: x"), (200, ""), (500, ""), (503, "FAILURE: y")])
    def test_anything_else_is_tried_again_and_kept(self, world: World, answer: tuple[int, str]) -> None:
        one, server = self.logger(world), Server(LOGFILEUPLOAD=answer)
        one.session(server, START + DAY)
        assert (len(one.files), server.modes.count("LOGFILEUPLOAD")) == (3, 3)

    def test_a_server_that_is_away_is_called_again(self, world: World) -> None:
        def away(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
            raise ConnectionError

        one = self.logger(world)
        assert one.session(away, START + DAY) == [Step("STATUS", "", 0, False)]
        one.session(server := Server(), START + 2 * DAY)
        assert server.requests[0]["UPLOADATTEMPT"] == "2"

    def test_basic_alone_sends_no_password_in_the_form(self, world: World) -> None:
        one = self.logger(world, form=False, basic=True)
        one.session(server := Server(), START + DAY)
        assert "PASSWORD" not in server.requests[0]

    @pytest.mark.parametrize(
        ("text", "success"), [("\nSUCCESS\n", True), ("SUCCESSFUL", False), ("FAILURE: no SUCCESS", False)]
    )
    def test_only_a_line_of_its_own_is_success(self, text: str, success: bool) -> None:
        assert says_success(200, text) is success


class TestConfigurations:
    def manifest(self, name: str, md5: str, time: str) -> Server:
        return Server(CONFIGFILEMANIFEST=(200, f"CONFIGFILE,{name},{md5},{time}\n"))

    def logger(self, world: World, *, remote: bool = True) -> Logger:
        return Logger(world, Box("001EC6000001", "secret", remote=remote), start=START)

    def test_the_same_is_not_exchanged(self, world: World) -> None:
        one = self.logger(world)
        own = checksum(one.configs["loggerconfig.ini"])
        one.session(server := self.manifest("loggerconfig.ini", own, NEVER), START)
        assert server.modes == ["STATUS", "CONFIGFILEMANIFEST"]

    def test_another_without_a_time_is_sent(self, world: World) -> None:
        self.logger(world).session(server := self.manifest("modbus/mb-002.ini", "X", NEVER), START)
        assert server.modes[-1] == "CONFIGFILEUPLOAD"
        assert server.requests[-1]["MODBUSDEVICE"] == "2"

    @pytest.mark.parametrize(("remote", "mode"), [(True, "CONFIGFILEDOWNLOAD"), (False, "CONFIGFILEUPLOAD")])
    def test_a_newer_one_is_fetched_where_that_is_allowed(
        self, world: World, remote: bool, mode: str
    ) -> None:
        one = self.logger(world, remote=remote)
        new = "LOOPNAME=New\r\n"
        server = self.manifest("loggerconfig.ini", checksum(new.encode()), "2030-01-01 00:00:00")
        server.answers["CONFIGFILEDOWNLOAD"] = (200, new)
        one.session(server, START)
        assert server.modes[-1] == mode
        assert (one.configs["loggerconfig.ini"] == new.encode()) is remote

    def test_what_does_not_have_its_checksum_is_not_applied(self, world: World) -> None:
        one = self.logger(world)
        before = one.configs["loggerconfig.ini"]
        server = self.manifest("loggerconfig.ini", "0" * 32, "2030-01-01 00:00:00")
        server.answers["CONFIGFILEDOWNLOAD"] = (200, "<html>")
        one.session(server, START)
        assert one.configs["loggerconfig.ini"] == before

    def test_files_that_it_does_not_have_are_left_alone(self, world: World) -> None:
        self.logger(world).session(server := self.manifest("modbus/mb-099.ini", "X", NEVER), START)
        assert server.modes == ["STATUS", "CONFIGFILEMANIFEST"]


@pytest.mark.parametrize("text", ["", "serial", "serial:", "s:p:roof", "s:p:load:soon"])
def test_a_logger_that_is_written_wrongly_is_told(text: str) -> None:
    with pytest.raises(loggers.argparse.ArgumentTypeError):
        loggers._box(text)


def test_a_logger_on_the_command_line() -> None:
    box = loggers._box("001EC6000001:secret:load+solar:-40")
    assert (box.serial, box.password, box.meters, box.skew) == (
        "001EC6000001",
        "secret",
        ("load", "solar"),
        -40,
    )
