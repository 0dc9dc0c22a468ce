"""A device that counts how often it was read, as a kind of device for tests.

`python -m tests.devices.beat …` is the agent with this kind among its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from collectors import drivers
from collectors.__main__ import main
from collectors.drivers.contract import Config as BaseConfig
from collectors.drivers.contract import DeviceError, Field

KIND = "beat"
FIELD = "count"


class Config(BaseConfig, frozen=True, kw_only=True):
    """No settings."""


class Driver:
    """Counts on from its last remembered read: a number that is missing or double shows a reading that is."""

    def __init__(self, config: Config) -> None:
        self._count = 0

    def memory(self) -> Mapping[str, Any]:
        return {"count": self._count}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self._count = memory["count"]

    def read(self) -> Mapping[str, float]:
        self._count += 1
        return {FIELD: float(self._count)}

    def act(self, data: Mapping[str, Any], keep: Any = None) -> None:
        raise DeviceError("It only counts.")


def module() -> ModuleType:
    """What a folder of this kind would export."""
    made = ModuleType(f"collectors.drivers.{KIND}")
    parts = {
        "TITLE": "Beat",
        "EXAMPLE": {},
        "Config": Config,
        "Driver": Driver,
        "fields": lambda _: [Field(FIELD, "power", "kW", "gauge", "+ = later", role="load")],
    }
    for name, part in parts.items():
        setattr(made, name, part)
    return made


if __name__ == "__main__":
    sys.modules[f"collectors.drivers.{KIND}"] = module()
    drivers.registry.kinds = lambda: [KIND]
    sys.exit(main(["agent", *sys.argv[1:]]))
