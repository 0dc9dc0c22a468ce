"""A kind of device that the project does not know: one folder, as somebody would add it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors import drivers

KIND = "heatpump"
DRIVER = '''"""Heat pumps of nobody in particular, whose values stand in a file of JSON."""

import enum
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from collectors.drivers.contract import Config as BaseConfig
from collectors.drivers.contract import ConfigError, DeviceError, Field, secret, setting

TITLE = "Heat pump"
EXAMPLE = {"path": "/tmp/pump.json", "token": "0000", "circuits": ["north", "south"], "mode": "eco"}


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Circuit(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    pump: int = 1


class Config(BaseConfig, frozen=True, kw_only=True):
    path: Annotated[str, setting("File", "Where its values are.", min_length=2, max_length=300)]
    token: Annotated[str, secret("Token", "What it lets in.")]
    pin: Annotated[str | None, secret("PIN", "For its display.")] = None
    circuits: Annotated[list[str], setting("Circuits", "Names of circuits.", min_length=1)]
    pumps: Annotated[list[Circuit], setting("Pumps", "What drives them.")] = []
    ports: Annotated[list[int] | None, setting("Ports", "Numbers.")] = None
    retries: Annotated[int, setting("Retries", "How often.", ge=0, le=5)] = 2
    offset: Annotated[Annotated[float, msgspec.Meta(ge=-10)] | None, setting("Offset", "In kW.")] = None
    mode: Annotated[Literal["eco", "boost"], setting("Mode", "How it heats.")]
    level: Annotated[Level, setting("Level", "How loud.")] = Level.LOW
    phase: Annotated[Literal[1, 3] | None, setting("Phases", "As wired.")] = None
    inverted: Annotated[bool, setting("Inverted", "When fitted the other way.")] = False
    fast: Annotated[bool, setting("Fast", "Without waiting.")] = True
    smart: Annotated[bool | None, setting("Smart", "Where known.")] = None
    host: Annotated[str | int, setting("Host", "Name or number.")] = "pump"
    extra: Annotated[dict[str, Any], setting("Extra", "Whatever else.")] = {}

    def __post_init__(self) -> None:
        if "nowhere" in self.circuits:
            raise ConfigError("circuits", "names a circuit that leads nowhere")


def fields(config: Config) -> list[Field]:
    return [
        Field(name, "power", "kW", "gauge", "+ = consumption", role="load" if name == "north" else None)
        for name in config.circuits
    ]


class Driver:
    def __init__(self, config: Config) -> None:
        self._config = config

    def read(self) -> dict[str, float]:
        try:
            return json.loads(Path(self._config.path).read_text())
        except OSError as error:
            raise DeviceError("The file cannot be read.") from error

    def act(self, data: Any, keep: Any = None) -> None:
        raise DeviceError("It does nothing.")
'''


def drop_in(folder: Path) -> Path:
    """Write the driver below `folder` as a kind of its own."""
    (folder / KIND).mkdir(parents=True)
    (folder / KIND / "__init__.py").write_text(DRIVER)
    return folder


@pytest.fixture
def dropped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a new kind, known to this process."""
    folder = drop_in(tmp_path / "drivers")
    monkeypatch.setattr(drivers, "__path__", [*drivers.__path__, str(folder)])
    yield folder
    sys.modules.pop(f"collectors.drivers.{KIND}", None)
