"""A driver, its simulated device and a proxy between them, under a clock that can be moved."""

import inspect
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from collectors import drivers
from collectors.check.proxy import Proxy
from collectors.drivers import DeviceError, Driver, Reading, ReadResult
from collectors.drivers.contract import Remembers
from collectors.simulation import simulator
from collectors.simulation.world import World

SEED = 1
TIMEOUT_S = 1.0  # a busy machine must not look like a device that does not answer
LONGEST_READ_S = 20.0
CANARY = "canary-7d1f-secret"
ALWAYS_ALLOWED = {"_quality", "_length"}


class DeviationError(Exception):
    """A kind does not keep to the contract; the text says how."""


class Stage:
    """One kind under examination. ``told`` collects all that reaches people or disks."""

    def __init__(self, kind: str, proxy: Proxy, raw: Mapping[str, Any]) -> None:
        self.kind, self.proxy = kind, proxy
        self.raw = dict(raw)
        if "timeout" in {setting.name for setting in drivers.describe(kind)}:
            self.raw["timeout"] = TIMEOUT_S
        self.told: list[str] = []
        self.skew = 0.0
        self._moved = 0.0

    def clock(self) -> float:
        """The driver's wall clock."""
        return time.time() + self._moved

    def device_clock(self) -> float:
        """The device's, ``skew`` seconds ahead."""
        return self.clock() + self.skew

    def monotonic(self) -> float:
        """The driver's other clock."""
        return time.monotonic() + self._moved

    def sleep(self, seconds: float) -> None:
        """Let time pass without waiting for it."""
        self._moved += seconds

    def driver(self, raw: Mapping[str, Any] | None = None) -> Driver:
        """A new driver, under this stage's clocks as far as it takes them."""
        kind = drivers.load(self.kind).Driver
        offered = {"clock": self.clock, "monotonic": self.monotonic, "sleep": self.sleep}
        taken = inspect.signature(kind).parameters
        clocks = {name: clock for name, clock in offered.items() if name in taken}
        return kind(drivers.parse_config(self.kind, raw or self.raw), **clocks)

    def declared(self) -> set[str]:
        """The names of the declared fields."""
        module = drivers.load(self.kind)
        return {field.name for field in module.fields(drivers.parse_config(self.kind, self.raw))}

    def read(self, driver: Driver) -> ReadResult:
        """One read, in time. What it says is noted; a DeviceError is passed on."""
        begun = time.monotonic()
        try:
            result = driver.read()
        except DeviceError as error:
            self.told += [str(error), repr(error)]
            raise
        finally:
            if time.monotonic() - begun > LONGEST_READ_S:
                raise DeviationError(f"A read took longer than {LONGEST_READ_S:g} s.")
        if not isinstance(result, ReadResult):
            result = ReadResult([Reading(round(self.clock() * 1000), result)])
        self.told.append(repr(result))
        return result

    def read_well(self, driver: Driver, when: str = "") -> ReadResult:
        """A read that must deliver exactly what is declared. Raises DeviationError."""
        try:
            result = self.read(driver)
        except DeviceError as error:
            raise DeviationError(f"The device could not be read{when}: {error}") from error
        if complaint := " ".join(deviations(self.declared(), delivered(result))):
            raise DeviationError(f"{complaint[:-1]}{when}.")
        return result

    def read_badly(self, driver: Driver, when: str) -> None:
        """A read that must raise DeviceError with a sentence. Raises DeviationError."""
        try:
            result = self.read(driver)
        except DeviceError as error:
            if not str(error).endswith("."):
                raise DeviationError(f"The error{when} is no sentence: {error}") from error
        else:
            raise DeviationError(f"Delivered {sorted(delivered(result))} although nothing was right{when}.")

    def memory(self, driver: Driver) -> dict[str, Any]:
        """What a driver would remember, as JSON gives it back; nothing where it remembers nothing."""
        if not isinstance(driver, Remembers):
            return {}
        text = json.dumps(driver.memory())
        self.told.append(text)
        remembered: dict[str, Any] = json.loads(text)
        return remembered

    def secrets(self, raw: Mapping[str, Any]) -> set[str]:
        """The values of the secret settings."""
        return {str(raw[name]) for name in drivers.secret_fields(self.kind) if raw.get(name)}

    def with_canaries(self) -> dict[str, Any]:
        """The settings with every secret set, and whatever else must then be there."""
        raw = {**dict.fromkeys(drivers.secret_fields(self.kind), CANARY), **self.raw}
        for _ in drivers.describe(self.kind):
            try:
                drivers.parse_config(self.kind, raw)
            except drivers.ConfigError as error:
                raw.setdefault(error.field, "someone")
        return raw


@contextmanager
def staged(kind: str) -> Iterator[Stage]:
    """A stage for a kind of device, torn down at the end."""
    clock: list[Any] = [time.time]
    world = World(SEED, round((time.time() - 86_400) * 1000))
    with (
        simulator(kind, world, clock=lambda: clock[0]()) as device,
        Proxy(device.port) as proxy,
    ):
        stage = Stage(kind, proxy, _redirected(device.config, device.port, proxy.port))
        clock[0] = stage.device_clock
        yield stage


def _redirected(config: Mapping[str, Any], device: int, proxy: int) -> dict[str, Any]:
    """The settings with the proxy's address in place of the device's."""
    text = msgspec.json.encode(config).decode()
    moved: dict[str, Any] = json.loads(text.replace(f"127.0.0.1:{device}", f"127.0.0.1:{proxy}"))
    return {name: proxy if value == device else value for name, value in moved.items()}


def delivered(result: ReadResult) -> set[str]:
    """The names of all fields in a result."""
    return {name for reading in result.readings for name in reading.values}


def deviations(declared: set[str], delivered: set[str]) -> Iterator[str]:
    """Sentences about fields that are declared and not delivered, or the other way round."""
    if missing := declared - delivered:
        yield f"Declared but not delivered: {', '.join(sorted(missing))}."
    if surplus := delivered - declared - ALWAYS_ALLOWED:
        yield f"Delivered but not declared: {', '.join(sorted(surplus))}."
