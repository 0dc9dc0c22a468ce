from __future__ import annotations

import os
from pathlib import Path

import pytest

from config import launch


@pytest.mark.parametrize(
    "command",
    [
        "",
        "help",
        "version",
        "--version",
        "check",
        "collectstatic --noinput",
        "up --help",
        "migrate -h",
        "test --help",
    ],
)
def test_what_reads_no_data_starts_no_server(command: str) -> None:
    assert not launch.needs_servers(["manage.py", *command.split()])


@pytest.mark.parametrize("command", ["migrate", "up --port 8001", "shell", "test", "test -x", "doctor"])
def test_everything_else_has_servers(command: str) -> None:
    assert launch.needs_servers(["manage.py", *command.split()])


def test_the_folder_of_a_command_is_var_or_what_the_environment_says() -> None:
    assert launch.var_folder(["manage.py", "migrate"], {}) == launch.ROOT / "var"
    assert launch.var_folder(["manage.py", "migrate"], {"WATTDESK_VAR": "/data"}) == Path("/data")


def test_a_test_run_has_a_folder_of_its_own_and_tells_its_children() -> None:
    environ = {"WATTDESK_VAR": "/data"}

    var = launch.var_folder(["manage.py", "test"], environ)

    assert var == Path(f"/data/test-{os.getpid()}")
    assert environ["WATTDESK_VAR"] == str(var)


def test_only_the_first_word_makes_a_test_run() -> None:
    assert launch.is_test(["manage.py", "test"])
    assert not launch.is_test(["manage.py", "shell", "test"])
    assert not launch.is_test(["manage.py"])
