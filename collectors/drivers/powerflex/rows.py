"""The table that PowerFlex answers to ``get_measurement_data``."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from collectors.drivers.contract import Value
from collectors.drivers.powerflex.config import FIELDS
from collectors.drivers.transport import json_of
from collectors.drivers.values import measured, stated

LATEST_S = 4e9


class Series(msgspec.Struct):
    """Rows under the names of their columns."""

    columns: list[str]
    values: list[list[Any]]


class Result(msgspec.Struct):
    """One question's answer; without ``series`` where there was nothing."""

    series: list[Series] = []


class Data(msgspec.Struct):
    """All answers."""

    results: list[Result]


class Measurements(msgspec.Struct):
    """The whole of it."""

    data: Data


@dataclass(frozen=True, slots=True)
class Row:
    """What a station measured at ``time`` (Unix s, the server's own)."""

    time: float
    values: dict[str, Value]

    @property
    def timestamp(self) -> int:
        """The same in Unix ms."""
        return round(self.time * 1000)

    @property
    def plugged_in(self) -> bool | None:
        """Whether a car is plugged in, whatever it does there; None where the row does not say."""
        state = self.values["charging_state"]
        return state != "UNPLUGGED" if isinstance(state, str) and state else None


def parse(body: bytes, station: tuple[str, str], *, after: float) -> list[Row]:
    """A station's rows later than ``after`` (Unix s), in order, one for each time. Raises DeviceError.

    A row without a usable time, or not as wide as the table, is left out; so is a value that is none.
    """
    found: dict[float, Row] = {}
    for record in _records(json_of(body, Measurements)):
        time = measured(record.get("time"))
        ours = (str(record.get("acc_id")), str(record.get("acs_id"))) == station
        if ours and time is not None and after < time < LATEST_S:
            found.setdefault(time, Row(time, _values(record)))
    return [found[time] for time in sorted(found)]


def _records(answer: Measurements) -> Iterator[dict[str, Any]]:
    for result in answer.data.results:
        for series in result.series:
            for values in series.values:
                if len(values) == len(series.columns):
                    yield dict(zip(series.columns, values, strict=True))


def _values(record: dict[str, Any]) -> dict[str, Value]:
    return {
        field.name: (stated if field.kind == "step" else measured)(record.get(field.name)) for field in FIELDS
    }
