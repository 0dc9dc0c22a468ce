"""The agent as it is run: a process of its own, against a real server and a real device."""

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collectors.simulation.egauge import Simulator
from tests.collectors.agent.conftest import device
from tests.collectors.agent.desk import KEY, Desk, wait_until

Run = Callable[..., subprocess.Popen[str]]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(desk: Desk, tmp_path: Path) -> Iterator[Run]:
    """Start agents on the state folder of the test; their logs are collected in agent.log."""
    bundle = tmp_path / "bundle.json"
    bundle.touch(0o600)
    bundle.write_text(json.dumps(desk.bundle))
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str, program: Sequence[str] = ("-m", "collectors")) -> subprocess.Popen[str]:
        command = [sys.executable, *program, "agent", "--bundle", str(bundle)]
        pace = ["--config", "0.2", "--heartbeat", "0.5", "--longest-pause", "0.2", "--timeout", "2"]
        with (tmp_path / "agent.log").open("a") as log:
            started.append(subprocess.Popen([*command, *pace, *options], cwd=ROOT, stderr=log, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def log(tmp_path: Path) -> str:
    return (tmp_path / "agent.log").read_text()


def test_readings_travel_from_the_device_to_the_server(
    desk: Desk, run: Run, meter: Simulator, tmp_path: Path
) -> None:
    desk.configure(device(meter))
    process = run()
    wait_until(lambda: len(desk.readings("egauge")) >= 3)
    _, values = desk.readings("egauge")[0]
    assert values.keys() == {"A.Solar", "A.Load", "_length"}
    assert values["A.Load"] < 0
    assert desk.acks == [{"version": 2, "errors": []}]
    assert desk.uploads[-1]["agent"]["config_version"] == 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert KEY not in log(tmp_path)
    assert "Traceback" not in log(tmp_path)


def test_a_killed_agent_loses_nothing_that_it_spooled(
    desk: Desk, run: Run, meter: Simulator, tmp_path: Path
) -> None:
    desk.always = lambda _: (503, {}, b"")
    desk.configure(device(meter))
    process = run()
    waiting = wait_until(lambda: desk.spooled[-1] if desk.spooled[-1] >= 2 else 0, seconds=15)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert desk.uploads == []
    desk.always = lambda _: None
    desk.configure()
    run()
    wait_until(lambda: len(desk.readings("egauge")) >= waiting)
    stamps = [timestamp for timestamp, _ in desk.readings("egauge")]
    assert stamps == sorted(set(stamps))


def test_without_a_server_it_still_reads_what_it_read_before(
    desk: Desk, run: Run, meter: Simulator, tmp_path: Path
) -> None:
    desk.configure(device(meter))
    process = run()
    wait_until(lambda: desk.readings("egauge"))
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    desk.always = lambda _: (503, {}, b"")
    desk.broken_config = True
    before = len(desk.uploads)
    run()
    wait_until(lambda: desk.spooled[-1] >= 2)
    assert len(desk.uploads) == before


def test_it_starts_without_any_network_and_waits_for_one(
    desk: Desk, run: Run, meter: Simulator, tmp_path: Path
) -> None:
    desk.configure(device(meter))
    with desk.away():
        process = run()
        wait_until(lambda: "cannot be renewed: no connection" in log(tmp_path))
        assert process.poll() is None
    wait_until(lambda: desk.readings("egauge"), seconds=15)
    assert "Traceback" not in log(tmp_path)


AS_IF_1970 = """if True:
    import sys, time
    monotonic = time.monotonic
    time.time = lambda: 5.0 + monotonic() % 1_000
    from collectors.__main__ import main
    sys.exit(main())
"""


def test_with_a_clock_that_was_never_set_readings_are_stamped_by_the_servers(
    desk: Desk, run: Run, meter: Simulator, tmp_path: Path
) -> None:
    desk.configure(device(meter))
    process = run()
    wait_until(lambda: desk.readings("egauge"))
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    desk.uploads.clear()
    begun = time.time()
    with desk.away():  # as after a power cut
        run(program=("-c", AS_IF_1970))
        wait_until(lambda: rows_in_spool(tmp_path) >= 3)
    wait_until(lambda: len(desk.readings("egauge")) >= 5)
    stamps = [timestamp / 1000 for timestamp, _ in desk.readings("egauge")]
    assert stamps == sorted(stamps)
    assert begun - 2 <= stamps[0]
    assert stamps[-1] <= time.time() + 2
    assert desk.uploads[-1]["agent"]["sent_at"] < 2_000_000


def rows_in_spool(tmp_path: Path) -> int:
    spool = f"file:{tmp_path}/bundle.state/spool.sqlite3?mode=ro"
    with closing(sqlite3.connect(spool, uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM entry").fetchone()[0])


def test_a_damaged_spool_is_no_reason_to_stop(desk: Desk, run: Run, meter: Simulator, tmp_path: Path) -> None:
    state = tmp_path / "bundle.state"
    state.mkdir()
    (state / "spool.sqlite3").write_bytes(b"nonsense" * 1_000)
    desk.configure(device(meter))
    run()
    wait_until(lambda: desk.readings("egauge"))
    assert (state / "spool.sqlite3.damaged").exists()
    (event,) = desk.events()
    assert "damaged" in event["data"]["data"]


def test_a_spool_that_cannot_be_opened_ends_it_with_a_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bundle.state" / "spool.sqlite3-wal").mkdir(parents=True)
    (tmp_path / "bundle.state" / "spool.sqlite3").mkdir()
    assert run().wait(10) == 1
    assert "cannot be used" in log(tmp_path)
    assert "Traceback" not in log(tmp_path)


@pytest.mark.parametrize(
    "option", [("--interval", "0"), ("--timeout", "nan"), ("--heartbeat", "-1"), ("--spool-bound", "0")]
)
def test_an_option_that_makes_no_sense_is_told(run: Run, tmp_path: Path, option: tuple[str, str]) -> None:
    assert run(*option).wait(10) == 2
    assert f"argument {option[0]}: invalid" in log(tmp_path)


def test_files_are_nobody_elses(desk: Desk, run: Run, meter: Simulator, tmp_path: Path) -> None:
    desk.configure(device(meter))
    run()
    wait_until(lambda: desk.readings("egauge"))
    state = tmp_path / "bundle.state"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
    assert modes.keys() >= {"spool.sqlite3", "spool.sqlite3-wal", "config.json", "lock"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_heartbeats_go_on_without_devices(desk: Desk, run: Run) -> None:
    run()
    wait_until(lambda: len(desk.uploads) >= 2)
    assert all(upload["batches"] == [] for upload in desk.uploads)


def test_two_agents_do_not_share_a_state(desk: Desk, run: Run, tmp_path: Path) -> None:
    run()
    wait_until(lambda: desk.uploads)
    assert run().wait(10) == 1
    assert "Another agent" in log(tmp_path)


@pytest.mark.parametrize(
    ("bundle", "says"),
    [
        ({"house": "demo", "url": "http://desk.example", "key": KEY}, "plain HTTP"),
        ({"house": "demo"}, "not a credential bundle"),
    ],
)
def test_a_bundle_that_cannot_be_used_ends_it_with_a_sentence(
    run: Run, tmp_path: Path, bundle: dict[str, Any], says: str
) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    assert run().wait(10) == 1
    assert says in log(tmp_path)
    assert KEY not in log(tmp_path)
    assert "Traceback" not in log(tmp_path)
