"""Poll an eGauge and turn differences of its registers into means over the time between two polls.

A reading's ``_length`` is the difference of the meter's own clock, in ms; its timestamp is this machine's
clock when the later answer was complete. So a meter whose clock is off still measures durations exactly,
and its readings lie where those of the other devices lie.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from requests.auth import HTTPDigestAuth

from collectors.drivers.contract import DeviceError, Keep, Reading, ReadResult, Value, no_keep
from collectors.drivers.egauge.config import SCALES, Config, Key
from collectors.drivers.egauge.xml import parse
from collectors.drivers.faults import Faults
from collectors.drivers.transport import get, local_session

LONGEST_GAP_S = 300
"""After a longer gap a mean over all of it would say too little: two reads close together start anew."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One answer: the meter's clock (s), its registers, and when it came by our two clocks (s and ms)."""

    clock: int
    registers: Mapping[str, int]
    monotonic: float
    timestamp: int


class Driver:
    """One eGauge. ``read`` takes ``t_sample`` seconds after a start or a gap, else one exchange."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._config = config
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        digest = HTTPDigestAuth(config.username, config.password or "") if config.username else None
        self._session = local_session(digest)
        self._url = f"http://{config.ip}/cgi-bin/egauge?ins&tot"
        self._previous: Poll | None = None
        self._faults = Faults()

    def read(self) -> ReadResult:
        """Means of the configured registers since the previous poll, in kW, V, Hz or A, at full precision.

        A register that the meter lacks, or that was reset in between, is None, and a WARNING event tells
        when that begins. Raises DeviceError without an answer, or when the meter's clock stands still.
        """
        earlier, later = self._two_polls()
        values: dict[str, Value] = {}
        faults: dict[str, str] = {}
        for key in self._config.registers():
            try:
                values[key.name] = mean(key, earlier, later)
            except DeviceError as fault:
                values[key.name], faults[key.name] = None, f"Register {key.name} {fault}."
        values["_length"] = (later.clock - earlier.clock) * 1000
        return ReadResult([Reading(later.timestamp, values)], self._faults.news(faults, later.timestamp))

    def act(self, data: Mapping[str, Any], keep: Keep = no_keep) -> None:
        """A meter only measures: always raises DeviceError."""
        raise DeviceError("An eGauge meter takes no commands.")

    def _two_polls(self) -> tuple[Poll, Poll]:
        earlier, later = self._previous, self._poll()
        if earlier is None or not _follows(earlier, later):
            self._sleep(self._config.t_sample)
            earlier, later = later, self._poll()
        if later.clock <= earlier.clock:
            raise DeviceError("The meter's clock stands still or was set back.")
        return earlier, later

    def _poll(self) -> Poll:
        body = get(self._session, self._url, timeout=self._config.timeout)
        clock, registers = parse(body)
        self._previous = Poll(clock, registers, self._monotonic(), round(self._clock() * 1000))
        return self._previous


def mean(key: Key, earlier: Poll, later: Poll) -> float:
    """A register's mean between two polls. Raises DeviceError when a side is missing or it was reset."""
    before, after = earlier.registers.get(key.name), later.registers.get(key.name)
    if before is None or after is None:
        raise DeviceError("is missing from the meter's answer")
    scale = SCALES[key.measured]
    value = circular_difference(before, after) / (later.clock - earlier.clock) / 1000
    if not scale.lowest <= value <= scale.highest or (after == 0 != before):
        raise DeviceError("was reset, or jumped beyond what can be measured")
    return value


def circular_difference(before: int, after: int) -> int:
    """Registers are signed 64-bit numbers that run on from the largest to the smallest."""
    return (after - before + 2**63) % 2**64 - 2**63


def _follows(earlier: Poll, later: Poll) -> bool:
    """Whether the mean between the two says something: time passed, and no long gap by either clock."""
    elapsed = later.monotonic - earlier.monotonic
    return 0 < later.clock - earlier.clock <= LONGEST_GAP_S and elapsed <= LONGEST_GAP_S
