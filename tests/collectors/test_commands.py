import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from collectors import drivers
from collectors.__main__ import main
from collectors.check import cli
from collectors.check.proxy import Proxy
from collectors.check.stage import Stage, deviations
from collectors.check.suite import CASES
from collectors.simulation import simulator
from collectors.simulation.world import World

ROOT = Path(__file__).parents[2]


def simulated(kind: str) -> dict[str, Any]:
    """The settings for the simulator of a kind."""
    with simulator(kind, World(1, 1_790_000_000_000)) as device:
        return device.config


@pytest.mark.parametrize("command", [[], ["agent"], ["simulate"], ["check"]])
def test_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "example: python -m collectors" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [[], ["fly"], ["simulate", "toaster"], ["simulate", "egauge", "--zone", "Mars"]]
)
def test_what_is_no_command_is_told_without_a_traceback(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


class TestSimulate:
    def test_it_answers_until_it_is_told_to_stop(self) -> None:
        command = [sys.executable, "-m", "collectors", "simulate", "egauge", "--zone", "Europe/Paris"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            settings = process.stdout.readline().partition("settings: ")[2]
            config = drivers.parse_config("egauge", json.loads(settings))
            result = drivers.load("egauge").Driver(config).read()
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        assert isinstance(result, drivers.ReadResult)
        assert result.readings[0].values["A.Load"] is not None

    def test_a_port_that_is_taken_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["simulate", "egauge", "--port", "99999", "--start", "2026-01-01"]) == 1
        assert "cannot begin" in capsys.readouterr().err


class TestCheck:
    @pytest.mark.parametrize("kind", drivers.kinds())
    def test_it_shows_the_values_and_what_the_suite_found(
        self, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli, "CASES", ["declared fields", "secrets"])
        assert main(["check", kind]) == 0
        out = capsys.readouterr().out
        assert all(field in out for field in Stage(kind, Proxy(1), simulated(kind)).declared())
        assert "ok      declared fields\nok      secrets\n" in out

    def test_a_case_that_fails_is_told_and_the_others_are_still_tried(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli, "examine", lambda _, case: "It fell over." if case == "429" else None)
        assert main(["check", "egauge"]) == 1
        shown = capsys.readouterr()
        assert "FAILED  429: It fell over." in shown.out
        assert "ok      redirect" in shown.out
        assert f"1 of {len(CASES)} cases failed." in shown.err

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ("{", "not JSON"),
            ("{}", "ip: is required"),
            ('{"ip": "127.0.0.1:1", "keys": ["a"]}', "no connection"),
        ],
    )
    def test_what_is_wrong_is_told(
        self, content: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "meter.json"
        file.write_text(content)
        assert main(["check", "egauge", "--config", str(file)]) == 1
        assert says in capsys.readouterr().err

    def test_a_missing_file_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "egauge", "--config", str(tmp_path / "none.json")]) == 1
        assert "cannot be read" in capsys.readouterr().err

    def test_deviations_are_named(self) -> None:
        assert list(deviations({"a", "b"}, {"b", "c", "_length"})) == [
            "Declared but not delivered: a.",
            "Delivered but not declared: c.",
        ]


@pytest.mark.slow
def test_a_raspberry_pi_needs_the_agents_requirements_alone(tmp_path: Path) -> None:
    """A fresh environment with nothing but requirements-agent.txt runs the agent, drivers and simulators."""
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    requirements = ROOT / "requirements-agent.txt"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", requirements],
        check=True,
        timeout=300,
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    code = """if True:
        import importlib, pkgutil, collectors
        for found in pkgutil.walk_packages(collectors.__path__, "collectors."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    """
    for arguments in (
        ["-m", "collectors", "agent", "--help"],
        ["-c", code],
        ["-m", "collectors", "check", "egauge"],
    ):
        subprocess.run(
            [python, *arguments], cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL
        )
