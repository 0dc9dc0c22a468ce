from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from apps.desk.management.commands import test as command
from apps.desk.management.commands.test import CHECKS, Check, passes
from tests.config.processes import ROOT

pytestmark = pytest.mark.slow
SAMPLE = "tests/config/browser_sample.py"


def manage_test(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the servers of this very test run."""
    return subprocess.run(
        [sys.executable, "manage.py", "test", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTEST_XDIST_WORKER": "", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_without_a_browser_its_tests_are_skipped_in_one_line() -> None:
    done = manage_test(SAMPLE, PATH="/nowhere")

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Chromium is not installed, so 1 browser tests did not run.") == 1
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]


def test_arguments_go_to_pytest_and_its_failure_is_ours(tmp_path: Path) -> None:
    failing = tmp_path / "test_failing.py"
    failing.write_text("def test_it() -> None:\n    assert 1 == 2\n")

    done = manage_test(str(failing), "-q")

    assert done.returncode == 1
    assert "assert 1 == 2" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 failed")


def test_help_shows_an_example_and_runs_nothing() -> None:
    done = manage_test("--help")

    assert done.returncode == 0
    assert "manage.py test tests/readings -k rollup -x" in done.stdout
    assert "passed" not in done.stdout


GOOD = "print('fine')"
BAD = "print('odd'); raise SystemExit(2)"


@pytest.mark.parametrize(("source", "verdict", "shown"), [(GOOD, "ok    ", []), (BAD, "FAILED", ["odd"])])
def test_a_check_is_one_line_and_shows_its_output_only_when_it_fails(
    source: str, verdict: str, shown: list[str]
) -> None:
    said: list[str] = []

    assert passes(Check("a check", ("-c", source)), said.append) is (not shown)

    assert said[0].startswith(f"a check        {verdict}")
    assert said[1:] == shown


def test_every_check_runs_and_the_tests_come_last_though_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    said: list[str] = []

    def passes_unless_mypy(check: Check, say: object) -> bool:
        ran.append(check.name)
        return check.name != "mypy"

    def good_pytest(arguments: Sequence[str]) -> int:
        ran.append("pytest")
        return 0

    monkeypatch.setattr(command, "passes", passes_unless_mypy)
    monkeypatch.setattr(command, "pytest", good_pytest)

    assert command.run([], said.append)

    assert ran == [*(check.name for check in CHECKS), "pytest"]
    assert said == ["FAILED before the tests: mypy"]


def test_failing_tests_fail_the_run_though_every_check_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CHECKS", ())
    monkeypatch.setattr(command, "pytest", len)  # some status, not 0, for some arguments

    assert command.run([], print)
