"""Fetch a station's rows from where the last ones ended, and tell when charging sessions begin and end."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from collectors.drivers.contract import DeviceError, Event, Keep, Reading, ReadResult, no_keep
from collectors.drivers.powerflex.account import Account
from collectors.drivers.powerflex.config import Config
from collectors.drivers.powerflex.rows import Row, parse
from collectors.drivers.powerflex.session import Session, advance
from collectors.drivers.transport import turn

LOOK_BACK_S = 7_200
"""Rows may come this late, and our clock may be ahead by this much, without one being missed."""
FARTHEST_LOOK_BACK_S = 7 * 86_400
WINDOW_S = 10_800
"""The most that is asked for at once, so that no answer is too long; a longer outage takes several reads."""
AHEAD_S = 86_400
"""How far past our clock the newest window reaches: ours may be behind the server's."""


class Memory(msgspec.Struct, frozen=True):
    """Of which station, up to which row (Unix s), and what is known of the car."""

    station: tuple[str, str]
    seen: float
    session: Session = Session()


class Driver:
    """One station of an account. Every row is delivered once, under the server's own time."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._clock = config, clock
        self._account = Account(config, monotonic=monotonic)
        self._turn = turn(f"{config.url} {config.station}")
        self._seen: float | None = None
        self._session = Session()

    def read(self) -> ReadResult:
        """The rows since the last read, with EV_START_CHARGING and EV_END_CHARGING. Raises DeviceError.

        END carries ``duration`` in ms and ``energy`` in mWh (null where no row had it). After an outage the
        rows of up to a week are fetched, three hours at each read.
        """
        with self._turn:
            start, end = window(self._seen, self._clock())
            rows = self._fetch(start, end)
        self._seen = rows[-1].time if rows else max(start, min(end, self._clock() - LOOK_BACK_S))
        events = [event for row in rows for event in self._events(row)]
        return ReadResult([Reading(row.timestamp, row.values) for row in rows], events)

    def act(self, data: Mapping[str, Any], keep: Keep = no_keep) -> None:
        """A station is only read: always raises DeviceError."""
        raise DeviceError("A PowerFlex station takes no commands.")

    def memory(self) -> Mapping[str, Any]:
        """The last row's time and the session under way."""
        if self._seen is None:
            return {}
        known: dict[str, Any] = msgspec.to_builtins(Memory(self._config.station, self._seen, self._session))
        return known

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on behind the last row, if it was this station's."""
        try:
            known = msgspec.convert(memory, Memory)
        except msgspec.ValidationError:
            return
        if known.station == self._config.station:
            self._seen, self._session = known.seen, known.session

    def _fetch(self, start: float, end: float) -> list[Row]:
        question = {"measurement": "ct_response", "time_filter": [int(start), int(end) + 1]}
        return parse(self._account.post("get_measurement_data", question), self._config.station, after=start)

    def _events(self, row: Row) -> list[Event]:
        self._session, events = advance(self._session, row)
        return events


def window(seen: float | None, now: float) -> tuple[float, float]:
    """From which moment to which to ask (Unix s), after a last row at ``seen``."""
    start = now - LOOK_BACK_S if seen is None else max(seen, now - FARTHEST_LOOK_BACK_S)
    end = start + WINDOW_S
    return (start, end) if end < now else (start, now + AHEAD_S)
