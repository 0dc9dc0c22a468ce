"""A building of house A with a solar and a load meter on two loggers, as the store sees them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from apps.houses.models import House
from apps.meters import metering
from apps.meters.acquisuite.points import ROLES
from apps.meters.models import Meter
from apps.meters.sets import computing
from apps.meters.sets.models import MeterSet
from apps.meters.sets.mutations import Spec, declare_set
from apps.readings import store
from apps.readings.models import Segment, Series, Source
from apps.readings.samples import DAY, Samples
from apps.readings.series import FieldSpec, declare
from apps.readings.store import Block, Upload

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
DAY0 = 20_600  # 2026-05-27
T0 = DAY0 * DAY
MINUTE, QUARTER, HOUR = 60_000, 900_000, 3_600_000

Fields = Callable[[np.ndarray], np.ndarray] | float


def make_meter(house: House, name: str, *fields: str, cadence: float = 900) -> Meter:
    """A meter whose points are `fields`."""
    meter = metering.create_meter(house=house, name=name, label=name.title())
    roles = [ROLES[field] for field in fields]
    declare(
        source=meter.source,
        fields=[FieldSpec(role.name, role.quantity, role.unit, role.kind, cadence) for role in roles],
    )
    return meter


def put(source: Source, stamps: np.ndarray, *, compact: bool = True, **fields: Fields) -> None:
    """Store readings as an upload does, and compact their days as the inbox's hint does."""
    rows = [own(stamps) if callable(own) else np.full(stamps.size, own) for own in fields.values()]
    block = Block(tuple(fields), stamps, np.array(rows, np.float64))
    store.append([Upload(source.pk, (block,))], received_at=NOW)
    for day in sorted(set((stamps // DAY).tolist())) if compact else []:
        assert store.compact(source.pk, day)


def quarters(first: int, count: int, offset: int = 0) -> np.ndarray:
    """Stamps of `count` quarters of an hour from the `first` of day 0 on."""
    return T0 + offset + QUARTER * np.arange(first, first + count, dtype=np.int64)


def register(rate: float, begin: float = 1000.0) -> Callable[[np.ndarray], np.ndarray]:
    """A register growing by `rate` kW."""
    return lambda stamps: begin + rate * (stamps - T0) / HOUR


def held(source: Source, field: str, day: int | None = None) -> Samples:
    """What the store holds of a field, of one UTC day or all."""
    number = Series.objects.get(source=source, field=field).pk
    first, last = (DAY0 - 30, DAY0 + 30) if day is None else (day, day + 1)
    return store.read([number], start=first * DAY, end=last * DAY)[number]


def revisions(source: Source) -> dict[tuple[int, str], int]:
    """The revision of each segment, by day and field: whatever writes raises one."""
    names = dict(Series.objects.filter(source=source).values_list("pk", "field"))
    rows = Segment.objects.filter(source=source).values_list("day", "series", "revision")
    return {(day, names[number]): revision for day, number, revision in rows}


@pytest.fixture
def solar(house_a: House) -> Meter:
    return make_meter(house_a, "roof", "energy", "power", "reactive_power", "voltage_ll")


@pytest.fixture
def load(house_a: House) -> Meter:
    return make_meter(house_a, "main", "energy", "power", "reactive_power", "voltage_ll")


def specs(solar: Meter, load: Meter, **of_solar: object) -> list[Spec]:
    """Solar and load, as they are declared most often."""
    return [Spec(solar.source, "solar", **of_solar), Spec(load.source, "load")]  # type: ignore[arg-type]


@pytest.fixture
def two(house_a: House, solar: Meter, load: Meter) -> MeterSet:
    """A set of two meters; the utility is derived."""
    return declare_set(house=house_a, topology="no_utility", members=specs(solar, load), now=NOW)


def fill(solar: Meter, load: Meter, first: int = 0, count: int = 97) -> None:
    """A day of readings: 80 kW of solar power, a load of 100 kW at PF 0.95."""
    put(
        load.source,
        quarters(first, count),
        energy=register(100.0),
        power=100.0,
        reactive_power=32.868,
        voltage_ll=480.4,
    )
    put(
        solar.source,
        quarters(first, count),
        energy=register(80.0, 5.0),
        power=80.0,
        reactive_power=0.0,
        voltage_ll=479.6,
    )


def run() -> int:
    """What the task does each minute."""
    return computing.run_due()
