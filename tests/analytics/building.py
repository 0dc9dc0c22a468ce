"""Short ways to give a house series with readings and events, and to ask what a formula gives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from apps.analytics.evaluation import Answer, evaluate
from apps.analytics.formula import expand, parse
from apps.analytics.inputs import bind
from apps.devices.models import Event
from apps.houses.models import House
from apps.readings import store
from apps.readings.calendar import MINUTE_MS
from apps.readings.codec import encode_clock, encode_values
from apps.readings.models import Clock, Segment, Series, Source
from apps.readings.series import FieldSpec, declare
from apps.readings.store import DAY, Block, Upload

NOW = datetime(2025, 6, 3, tzinfo=UTC)
START = 1_748_728_800_000  # 2025-06-01 00:00 in Brussels, 2025-05-31 22:00 UTC

Readings = Mapping[float, float]


def put(house: House, name: str, readings: Readings, **spec: Any) -> Series:
    """Store a field `source.field` of readings by the minute after START."""
    source_name, _, field = name.partition(".")
    source, _ = Source.objects.get_or_create(house=house, name=source_name)
    declare(source=source, fields=[FieldSpec(field, **{"unit": "kW", "quantity": "power", **spec})])
    append(source, {field: readings})
    return Series.objects.get(source=source, field=field)


def append(source: Source, fields: Mapping[str, Readings]) -> None:
    """Store fields that were read together."""
    minutes = list(next(iter(fields.values())))
    stamps = np.array([START + round(minute * MINUTE_MS) for minute in minutes], np.int64)
    values = np.array([list(readings.values()) for readings in fields.values()], np.float64)
    store.append([Upload(source.pk, (Block(tuple(fields), stamps, values),))], received_at=NOW)


def happen(house: House, name: str | None, type_: str, minute: float, **data: Any) -> Event:
    """Store an event."""
    source = None if name is None else Source.objects.get_or_create(house=house, name=name)[0]
    stamp = START + round(minute * MINUTE_MS)
    digest = hashlib.sha256(json.dumps(data).encode()).digest()[:16]
    return Event.objects.create(
        house=house, source=source, timestamp=stamp, type=type_, data=data, digest=digest
    )


def fill_days(house: House, name: str, days: range, cadence_ms: int, offset: int = 0) -> Series:
    """Years of compacted days, each the same half sine, at once."""
    series = put(house, name, {}, cadence=cadence_ms / 1000)
    stamps = np.arange(offset, DAY, cadence_ms, dtype=np.int64)
    values = encode_values(np.maximum(np.sin((stamps / DAY - 0.25) * 2 * np.pi), 0).round(3))
    own = {"source_id": series.source_id}
    Clock.objects.bulk_create(
        [Clock(**own, day=day, id=0, payload=encode_clock(day * DAY + stamps)) for day in days], 500
    )
    Segment.objects.bulk_create(
        [
            Segment(**own, day=day, series=series, clock_id=0, count=stamps.size, payload=values)
            for day in days
        ],
        500,
    )
    return series


def ask(house: House, formula: str, minutes: tuple[float, float] = (0, 60), **options: Any) -> Answer:
    """What a formula gives, by default in the first hour."""
    start, end = (START + round(minute * MINUTE_MS) for minute in minutes)
    items = {name: parse(text) for name, text in options.pop("items", {}).items()}
    return evaluate(bind(house, expand(parse(formula), items)), start=start, end=end, **options)


def points(answer: Answer) -> dict[float, float | None]:
    """Values by the minute after START; missing ones as None, which equals itself."""
    assert answer.stamps is not None
    assert answer.values is not None
    values = [None if np.isnan(value) else value for value in answer.values.tolist()]
    minutes = [(stamp - START) / MINUTE_MS for stamp in answer.stamps.tolist()]
    return dict(zip(minutes, values, strict=True))
