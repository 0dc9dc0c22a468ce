"""Drivers with which tests show what the agent does about well- and ill-behaved devices."""

import sys
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Annotated, Any

import pytest

from collectors import drivers
from collectors.drivers.contract import Config as BaseConfig
from collectors.drivers.contract import DeviceError, Field, ReadResult, secret, setting


class Config(BaseConfig, frozen=True, kw_only=True):
    say: Annotated[Any, setting("Say", "What the device says.")] = 1.0
    fail: Annotated[str, setting("Fail", "How it fails.")] = ""
    token: Annotated[str | None, secret("Token", "A secret.")] = None


class Driver:
    """Says what its configuration says; ``made`` and ``reads`` count what tests ask about."""

    made: list["Driver"] = []

    def __init__(self, config: Config) -> None:
        if config.fail == "start":
            raise OSError(f"cannot open with {config.token}")
        self.config, self.reads = config, 0
        self.made.append(self)

    def read(self) -> Any:
        self.reads += 1
        match self.config.fail:
            case "device":
                raise DeviceError(f"The device refused {self.config.token}.")
            case "bug":
                raise KeyError(self.config.token)
            case "first":
                if self.reads < 3:
                    raise DeviceError("Not yet.")
            case "slow":
                time.sleep(30)
        return self.config.say if isinstance(self.config.say, ReadResult) else {"x": self.config.say}

    def act(self, data: Any, keep: Any = None) -> None:
        raise DeviceError("It does nothing.")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Driver]]:
    """Make ``toy`` a kind of device for the test."""
    module = ModuleType("collectors.drivers.toy")
    module.TITLE, module.EXAMPLE, module.Config, module.Driver = "Toy", {}, Config, Driver  # type: ignore[attr-defined]
    module.fields = lambda _: [Field("x", "power", "kW", "gauge", "+ = more")]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(drivers.registry, "kinds", lambda: ["egauge", "toy"])
    Driver.made.clear()
    yield Driver
    Driver.made.clear()
