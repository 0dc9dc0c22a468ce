"""The driver in docs/drivers.md is a real one: it is put in place and read from its simulator."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from collectors import __main__ as command
from collectors import drivers, simulation
from collectors.simulation import simulator
from collectors.simulation.world import World

PAGE = Path(__file__).parents[3] / "docs" / "drivers.md"
START = 1_790_000_000_000


def block(name: str) -> str:
    """The code block of the page that is marked with the name."""
    (found,) = re.findall(rf"^```python {name}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture(autouse=True)
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's two files, where the packages look for them."""
    (tmp_path / "drivers" / "plug").mkdir(parents=True)
    (tmp_path / "drivers" / "plug" / "__init__.py").write_text(block("driver"))
    (tmp_path / "simulation").mkdir()
    (tmp_path / "simulation" / "plug.py").write_text(block("simulator"))
    monkeypatch.setattr(drivers, "__path__", [*drivers.__path__, str(tmp_path / "drivers")])
    monkeypatch.setattr(simulation, "__path__", [*simulation.__path__, str(tmp_path / "simulation")])
    yield
    for name in ("collectors.drivers.plug", "collectors.simulation.plug"):
        sys.modules.pop(name, None)


def test_one_folder_makes_a_kind() -> None:
    assert "plug" in drivers.kinds()
    module = drivers.load("plug")
    assert module.fields(drivers.parse_config("plug", module.EXAMPLE))
    assert drivers.secret_fields("plug") == {"token"}
    assert [setting.title for setting in drivers.describe("plug")] == ["Address", "Token", "Time-out"]


def test_it_delivers_what_it_declares() -> None:
    world = World(1, START)
    with simulator("plug", world, clock=lambda: START / 1000) as device:
        config = drivers.parse_config("plug", device.config)
        values = drivers.load("plug").Driver(config).read()
    assert isinstance(values, dict)
    assert set(values) == {field.name for field in drivers.load("plug").fields(config)}
    assert values["power"] == pytest.approx(world.at(START).load / 3)


def test_it_passes_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["check", "plug"]) == 0
    assert "kWh" in capsys.readouterr().out


def test_its_errors_hold_no_secret(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/status").respond_with_data("<html>")
    raw = {"host": f"127.0.0.1:{httpserver.port}", "token": "hush-hush"}
    config = drivers.parse_config("plug", raw)
    with pytest.raises(drivers.DeviceError) as caught:
        drivers.load("plug").Driver(config).read()
    assert "hush-hush" not in str(caught.value) + repr(config)
    assert httpserver.log[0][0].headers["Authorization"] == "Bearer hush-hush"
