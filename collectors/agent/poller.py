"""Poll one device on its own interval, in its own thread, whatever the other devices do."""

import logging
import random
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec

from collectors import drivers
from collectors.agent.rows import event_row, reading_rows
from collectors.agent.spool import Row, Spool
from collectors.agent.states import States
from collectors.agent.trouble import Trouble
from collectors.drivers import DeviceError, Reading, ReadResult, Value

log = logging.getLogger(__name__)

MOST_JITTER_S = 1.0


class Device(msgspec.Struct, frozen=True):
    """A device as the house's configuration names it. The repr leaves out its settings: they hold secrets."""

    name: str
    type: str
    interval_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    config: dict[str, Any]

    def __repr__(self) -> str:
        return f"Device({self.name!r}, {self.type!r}, {self.interval_s:g} s)"


class Poller(threading.Thread):
    """Reads one device now and then at multiples of its interval, a little shifted by chance.

    Aligned polls let readings of several devices be compared; the shift keeps them from coming all at
    once. A read that takes longer than the interval costs the polls in between and nobody else anything.
    """

    def __init__(self, device: Device, spool: Spool, *, clock: Callable[[], float] = time.time) -> None:
        """Prepare the driver. Raises ConfigError, or DeviceError where the driver cannot begin."""
        super().__init__(name=f"poll {device.name}", daemon=True)
        self.device = device
        self._config = drivers.parse_config(device.type, device.config)
        self._driver = self._start_driver()
        self._spool, self._clock = spool, clock
        self._shift = random.uniform(0, min(MOST_JITTER_S, device.interval_s / 10))  # noqa: S311
        self._states, self._trouble, self._disk = States(), Trouble(), Trouble()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End without another reading; one that is under way is dropped."""
        self._stopping.set()

    def run(self) -> None:
        """Poll until stopped, first at once."""
        pause = self._shift
        while not self._stopping.wait(pause):
            self.poll()
            pause = until_next_poll(self._clock(), self.device.interval_s, self._shift)

    def poll(self) -> None:
        """Read the device once and spool what it says, or that it began to fail."""
        try:
            rows = self._rows(self._driver.read())
        except Exception as error:  # a bug in a driver must not end the polling
            rows = self._failure(self._in_words(error))
        else:
            if self._trouble.ends():
                log.info("%s: reads again.", self.device.name)
        if rows and not self._stopping.is_set():
            self._keep(rows)

    def _start_driver(self) -> drivers.Driver:
        try:
            return drivers.load(self.device.type).Driver(self._config)
        except Exception as error:
            raise DeviceError(self._in_words(error)) from None

    def _rows(self, result: Mapping[str, Value] | ReadResult) -> list[Row]:
        if not isinstance(result, ReadResult):
            result = ReadResult([Reading(round(self._clock() * 1000), result)])
        name = self.device.name
        rows = [row for reading in result.readings for row in reading_rows(name, reading, self._states)]
        return rows + [event_row(name, event) for event in result.events]

    def _failure(self, text: str) -> list[Row]:
        if not self._trouble.begins():
            return []
        log.warning("%s: %s", self.device.name, text)
        return [event_row(self.device.name, drivers.warning(round(self._clock() * 1000), text))]

    def _keep(self, rows: list[Row]) -> None:
        try:
            self._spool.add(rows)
        except sqlite3.Error as error:
            if self._disk.begins():
                log.warning("%s: readings cannot be kept on disk: %s.", self.device.name, error)
        else:
            self._disk.ends()

    def _in_words(self, error: Exception) -> str:
        """The text of an error for operators: of an unforeseen one only its kind and place."""
        if isinstance(error, DeviceError):
            return drivers.without_secrets(str(error), self._config)
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"The driver failed unexpectedly: {type(error).__name__} in {place.name}, line {place.lineno}."


def until_next_poll(now: float, interval: float, shift: float) -> float:
    """Seconds from Unix time ``now`` to the next multiple of the interval, ``shift`` seconds past it."""
    return interval - (now - shift) % interval
