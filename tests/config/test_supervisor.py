from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.processes import wait_until
from config.supervisor import Child, run
from tests.config.processes import assert_none_left, belonging_to, kill, python

pytestmark = pytest.mark.slow

# argv: the folder, then Python sources of the children, each of which works in the folder.
SUPERVISE = """
import sys
from pathlib import Path
from config import supervisor
supervisor._LONGEST_PAUSE = 0.1
supervisor._GRACE = 1.0
folder, *sources = sys.argv[1:]
children = [
    supervisor.Child(f"child{n}", [sys.executable, "-c", source], cwd=Path(folder))
    for n, source in enumerate(sources)
]
sys.exit(supervisor.run(children, announce="all up"))
"""
SLEEP = "import time; print('hello', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('hello', flush=True); time.sleep(60)"
WITH_HELPER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
LAST_WORDS = """
import signal, sys, time
def complain(number, frame):
    print('Traceback: the servers are gone', flush=True)
    open('complained', 'w').close()
    sys.exit()
signal.signal(signal.SIGTERM, complain)
print('hello', flush=True)
time.sleep(60)
"""
DYING = "print('ouch', flush=True); raise SystemExit(3)"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert_none_left(tmp_path)


def supervise(folder: Path, *sources: str) -> subprocess.Popen[str]:
    """Start a supervisor, and wait until each child has said hello."""
    process = python(SUPERVISE, folder, *sources)
    waiting = set(range(len(sources)))
    while waiting:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        waiting -= {n for n in waiting if line.startswith(f"child{n} | hello")}
    return process


def test_lines_carry_the_name_of_their_child(folder: Path) -> None:
    process = python(
        SUPERVISE, folder, "print('a'); print('b', flush=True); import time; time.sleep(60)", SLEEP
    )
    assert process.stdout is not None
    lines = {process.stdout.readline() for _ in range(4)}

    process.terminate()
    process.communicate()

    assert lines == {"child0 | a\n", "child0 | b\n", "child1 | hello\n", "all up\n"}


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_everything_with_its_status(folder: Path, number: signal.Signals, status: int) -> None:
    process = supervise(folder, SLEEP, WITH_HELPER)

    process.send_signal(number)
    process.communicate()

    assert process.returncode == status


def test_who_ignores_the_request_to_end_is_killed_after_the_grace(folder: Path) -> None:
    process = supervise(folder, DEAF)
    started = time.monotonic()

    process.terminate()
    process.communicate()

    assert process.returncode == 143
    assert 0.9 < time.monotonic() - started < 5


def test_a_second_signal_changes_nothing(folder: Path) -> None:
    process = supervise(folder, DEAF)

    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate()

    assert process.returncode == 130


def test_a_dead_child_is_started_again_and_the_others_stay(folder: Path) -> None:
    process = supervise(folder, SLEEP, SLEEP)
    victim, other = sorted(int(line.split()[0]) for line in belonging_to(folder) if "import time" in line)[
        -2:
    ]

    kill(victim)

    assert process.stdout is not None
    heard = [process.stdout.readline() for _ in range(2)]
    assert "ended (signal 9); starting it again" in "".join(heard)
    assert any(line.startswith(str(other)) for line in belonging_to(folder))
    process.terminate()
    process.communicate()


def test_helpers_of_a_dead_child_do_not_live_on(folder: Path) -> None:
    process = supervise(folder, WITH_HELPER)
    before = {int(line.split()[0]) for line in belonging_to(folder)} - {process.pid}

    kill(min(before))  # the child; its helper was started after it

    def replaced() -> bool:
        now = {int(line.split()[0]) for line in belonging_to(folder)}
        return not before & now and len(now) >= 2

    assert wait_until(replaced, seconds=10)
    process.terminate()
    process.communicate()


def test_a_child_that_keeps_dying_ends_everything(folder: Path) -> None:
    process = python(SUPERVISE, folder, SLEEP, DYING)

    output, _ = process.communicate(timeout=30)

    assert process.returncode == 1
    assert output.count("| ouch") == 6
    assert "child1 ended 6 times within seconds of its start (status 3); stopping." in output


def test_a_killed_supervisor_leaves_nobody(folder: Path) -> None:
    process = supervise(folder, SLEEP, SLEEP)

    kill(process.pid)

    process.communicate()
    assert_none_left(folder, seconds=5)


def test_a_closed_terminal_does_not_keep_it_from_stopping(folder: Path) -> None:
    process = supervise(folder, "import time\nwhile True: print('hello', flush=True); time.sleep(0.01)")
    assert process.stdout is not None

    process.stdout.close()
    time.sleep(0.3)
    process.terminate()

    assert process.wait(timeout=10) == 143


def test_a_reason_to_end_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    child = Child("child", [sys.executable, "-c", SLEEP], cwd=folder)

    status = run([child], broken=lambda: "The servers are gone.")

    assert status == 1
    assert "The servers are gone.\n" in capsys.readouterr().out


def test_after_a_reason_to_end_the_children_are_not_heard(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = Child("child", [sys.executable, "-c", LAST_WORDS], cwd=folder)
    said: list[str] = []

    def broken() -> str | None:
        said.append(capsys.readouterr().out)
        return "The servers are gone." if "child | hello" in "".join(said) else None

    run([child], broken=broken)

    assert (folder / "complained").exists()
    assert capsys.readouterr().out == "The servers are gone.\n"


def test_the_announcement_waits_until_all_is_ready(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter([False, False, True])
    rounds = iter([None, None, None, None, "enough"])

    run([], ready=lambda: next(answers), announce="open", broken=lambda: next(rounds))

    assert capsys.readouterr().out == "open\nenough\n"


def test_a_child_starts_only_after_what_it_needs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = folder / "seen"
    touch = f"import pathlib, time; pathlib.Path({str(seen)!r}).touch(); time.sleep(60)"
    first = Child("first", [sys.executable, "-c", f"import time; time.sleep(0.3); {touch}"], cwd=folder)
    second = Child("second", [sys.executable, "-c", SLEEP], cwd=folder, after=seen.exists)
    started: list[bool] = []

    def broken() -> str | None:
        started.append(any("hello" in line for line in belonging_to(folder)))
        return "seen" if started[-1] else None

    run([first, second], broken=broken)

    assert seen.exists()
    assert started.count(False) >= 3


def test_children_get_their_own_environment_on_top_of_ours(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = (
        "import os, time; print(os.environ['GREETING'], 'PATH' in os.environ, flush=True); time.sleep(60)"
    )
    child = Child("child", [sys.executable, "-c", source], env={"GREETING": "salut"}, cwd=folder)
    said: list[str] = []

    def broken() -> str | None:
        said.append(capfd.readouterr().out)
        return "heard" if "salut" in "".join(said) else None

    run([child], broken=broken)

    assert "child | salut True\n" in "".join(said)
