"""One device as the agent sees it: its driver, what it remembers, and what is told of its faults."""

import logging
import sqlite3
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from collectors import drivers
from collectors.agent.rows import event_row, reading_row
from collectors.agent.spool import Row
from collectors.agent.states import States
from collectors.agent.timekeeping import Timekeeper
from collectors.agent.warnings import Warnings
from collectors.drivers import DeviceError, Event, Reading, ReadResult, Remembers, Value

log = logging.getLogger(__name__)

NEAR_MS = 60_000
"""A driver's stamp this near to our clock is taken to come from it, and is corrected with it."""

Recall = Callable[[str], bytes | None]


class Device(msgspec.Struct, frozen=True):
    """A device as the house's configuration names it. The repr leaves out its settings: they hold secrets."""

    name: str
    type: str
    interval_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    config: dict[str, Any]

    def __repr__(self) -> str:
        return f"Device({self.name!r}, {self.type!r}, {self.interval_s:g} s)"


class Memory(msgspec.Struct):
    """What a driver remembers, and of which kind it is."""

    type: str
    content: dict[str, Any]


class Reader:
    """Turns reads of a device, and their failures, into rows and what is to be remembered with them."""

    def __init__(
        self,
        device: Device,
        recall: Recall,
        timekeeper: Timekeeper,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the driver; why that failed is the ``fault``, and it is tried again. Raises ConfigError."""
        self.device = device
        self.fault: str | None = None
        self._config = drivers.parse_config(device.type, device.config)
        self._recall, self._timekeeper, self._monotonic = recall, timekeeper, monotonic
        self._states = States()
        self._kept_warnings: Warnings | None = None
        self._driver: drivers.Driver | None = None
        self._reminded = self._told_anew = False
        try:
            self._driver = self._make_driver()
        except DeviceError as error:
            self.fault = str(error)

    def read(self) -> tuple[list[Row], dict[str, bytes]]:
        """Read once: rows, and what to remember with them by key. Raises sqlite3.Error, and no other."""
        begun = self._timekeeper.wall()
        warnings = self._warnings()
        try:
            rows, memory = self._read(warnings)
        except sqlite3.Error:
            raise
        except Exception as error:  # a bug in a driver must not end the polling
            rows, memory = self._failure(self._in_words(error), warnings), {}
        placed = [self._placed(row, begun, self._timekeeper.wall()) for row in rows]
        return placed, {**memory, self._key("warnings"): warnings.kept()}

    def act(self, data: Mapping[str, Any], keep: Callable[[Mapping[str, bytes]], None]) -> str | None:
        """Have the device do something: why it did not, in words; None when it did. Raises sqlite3.Error.

        ``keep`` is given what the driver remembers: in the midst of it, when that must not be forgotten, and
        at the end.
        """
        try:
            driver = self._ready_driver()
            driver.act(data, lambda: keep(self._memory(driver)))
            keep(self._memory(driver))
        except sqlite3.Error:
            raise
        except Exception as error:  # a bug in a driver must not end the polling
            return self._in_words(error)
        return None

    def is_past(self, stamp: int) -> bool:
        """Whether a moment (Unix ms) is over, as far as this machine knows the time."""
        return self._timekeeper.now() >= stamp

    def _warnings(self) -> Warnings:
        """What is open. Recalled at the first read: until then an earlier reader may be at work."""
        if self._kept_warnings is None:
            kept = self._recall(self._key("warnings"))
            self._kept_warnings = Warnings(kept, monotonic=self._monotonic)
        return self._kept_warnings

    def _read(self, warnings: Warnings) -> tuple[list[Row], dict[str, bytes]]:
        driver = self._ready_driver()
        result = self._result(driver.read())
        name, now = self.device.name, self._timekeeper.wall()
        rows = [reading_row(name, reading, self._states) for reading in result.readings]
        memory = self._memory(driver)
        events = self._events(result.events, now, warnings)
        return rows + [event_row(name, event) for event in events], memory

    def _ready_driver(self) -> drivers.Driver:
        """The driver, which before its first read goes on from what an earlier one remembered."""
        if self._driver is None:
            self._driver = self._make_driver()
        if not self._reminded:
            self._reminded = True
            self._driver = self._remind(self._driver)
        return self._driver

    def _remind(self, driver: drivers.Driver) -> drivers.Driver:
        """The driver with its memory, or a fresh one where that does harm: better forget than not read."""
        kept = self._recall(self._key("driver"))
        if kept is None or not isinstance(driver, Remembers):
            return driver
        try:
            memory = msgspec.json.decode(kept, type=Memory)
            if memory.type == self.device.type:
                driver.recall(memory.content)
        except Exception as error:
            log.warning("%s: does not remember: %s", self.device.name, self._in_words(error))
            return self._make_driver()
        return driver

    def _result(self, result: Mapping[str, Value] | ReadResult) -> ReadResult:
        if isinstance(result, ReadResult):
            return result
        return ReadResult([Reading(self._timekeeper.wall(), result)])

    def _memory(self, driver: drivers.Driver) -> dict[str, bytes]:
        """What the driver remembers, by key."""
        if not isinstance(driver, Remembers):
            return {}
        content = dict(driver.memory())
        return {self._key("driver"): msgspec.json.encode(Memory(self.device.type, content))}

    def _events(self, own: Sequence[Event], now: int, warnings: Warnings) -> list[Event]:
        """The driver's events, and what the read says of warnings."""
        forgotten: list[Event] = []
        if not (self._told_anew or isinstance(self._driver, Remembers)):
            forgotten = warnings.forgotten(now, own)
        self._told_anew = True
        if recovered := warnings.succeeded(now):
            log.info("%s: reads again.", self.device.name)
        restless = warnings.only(now, self._states.restless())
        return [*forgotten, *warnings.passed_on(own, now), *restless, *recovered]

    def _failure(self, text: str, warnings: Warnings) -> list[Row]:
        events = warnings.failed(self._timekeeper.wall(), text)
        for _ in events:
            log.warning("%s: %s", self.device.name, text)
        return [event_row(self.device.name, event) for event in events]

    def _placed(self, row: Row, begun: int, ended: int) -> Row:
        if not begun - NEAR_MS <= row.timestamp <= ended + NEAR_MS:
            return row  # the device has a clock of its own
        timestamp, basis = self._timekeeper.place(row.timestamp)
        return row._replace(timestamp=timestamp, basis=basis)

    def _make_driver(self) -> drivers.Driver:
        try:
            return drivers.load(self.device.type).Driver(self._config)
        except Exception as error:
            raise DeviceError(self._in_words(error)) from None

    def _key(self, what: str) -> str:
        return f"{what}/{self.device.name}"

    def _in_words(self, error: Exception) -> str:
        """The text of an error for operators: of an unforeseen one only its kind and place."""
        if isinstance(error, DeviceError):
            return drivers.without_secrets(str(error), self._config)
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"The driver failed unexpectedly: {type(error).__name__} in {place.name}, line {place.lineno}."
