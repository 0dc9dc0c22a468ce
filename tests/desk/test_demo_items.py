"""The sixteen required items of the demo's house, held against its raw readings and its charging sessions."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from apps.analytics import definitions, required
from apps.analytics.evaluation import evaluate
from apps.analytics.models import AnalyticsItem
from apps.analytics.mutations import aggregate_on
from apps.analytics.reports import courses, kinds, periods
from apps.analytics.reports.asking import HouseAsk
from apps.analytics.reports.courses import Course
from apps.analytics.reports.report import Report, make
from apps.desk import demo
from apps.devices.models import ChargingSession
from apps.houses.models import House
from apps.jobs.models import Job
from apps.readings import bins, calendar, store
from apps.readings.models import Series
from apps.readings.samples import Samples
from tests.analytics.performing import perform
from tests.jobs.conftest import queue as queue

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
HOUR_MS = 3_600_000
START, END = NOW_MS - 96 * HOUR_MS, NOW_MS
PORTS = {"egauge": 8081, "powerflex": 8082, "sonnen": 8083}

Values = np.ndarray[Any, np.dtype[np.float64]]
# Each of the thirteen in its own words: whose field it is, and what becomes of its values.
MEANT: dict[str, tuple[str, str, Callable[[Values], Values]]] = {
    "battery": ("sonnen", "status.Pac_total_W", lambda w: w / 1000),
    "battery_charging": ("sonnen", "status.Pac_total_W", lambda w: np.where(w < 0, -w, 0) / 1000),
    "battery_discharging": ("sonnen", "status.Pac_total_W", lambda w: np.where(w > 0, w, 0) / 1000),
    "ev": ("powerflex", "power", lambda w: w / 1000),
    "grid_export": ("egauge", "A.GridPower", lambda kw: np.where(kw > 0, kw, 0)),
    "grid_import": ("egauge", "A.GridPower", lambda kw: np.where(kw < 0, -kw, 0)),
    "gridpower": ("egauge", "A.GridPower", lambda kw: -kw),
    "l1_frequency": ("egauge", "A.L1_Frequency", lambda hz: hz),
    "l1_voltage": ("egauge", "A.L1_Voltage", lambda volts: volts),
    "l2_voltage": ("egauge", "A.L2_Voltage", lambda volts: volts),
    "load": ("egauge", "A.Load", lambda kw: -kw),
    "soc": ("sonnen", "battery.battery_status.relativestateofcharge", lambda percent: percent),
    "solar": ("egauge", "A.Solar", lambda kw: np.where(kw > 0, kw, 0)),
}


@pytest.fixture
def house(db: None, queue: str, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> House:
    """The demo's house with four days of history, its jobs done."""
    settings.VAR = tmp_path
    monkeypatch.setattr(demo, "HISTORY", timedelta(days=4))
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    house = demo.seed(now=NOW, url="http://127.0.0.1:8000", ports=PORTS)
    for job in Job.objects.unfinished():
        perform(job)
    return house


def samples(source: str, field: str, start: int, end: int) -> Samples:
    series = Series.objects.get(source__name=source, source__namespace="device", field=field)
    return store.read([series.pk], start=start, end=end)[series.pk]


def by_hand(
    source: str, field: str, meaning: Callable[[Values], Values], start: int = START, end: int = END
) -> float:
    """The integral over time: of the meter's means by their lengths, of the rest along straight lines."""
    own = samples(source, field, start, end)
    values = meaning(own.values)
    if source == "egauge":
        lengths = samples(source, "_length", start, end)
        assert np.array_equal(own.stamps, lengths.stamps)
        return float((values * lengths.values).sum()) / HOUR_MS
    passed = np.diff(own.stamps)
    near = passed <= 300_000
    return float((((values[1:] + values[:-1]) / 2 * passed)[near]).sum()) / HOUR_MS


def kept(name: str) -> float:
    """The integral of what is stored of the item's results."""
    series = Series.objects.get(source__namespace="analytics", source__name=name, field="value")
    edges = np.array([START, END], np.int64)
    integral = bins.columns([series], edges)[series.pk].integral
    assert integral is not None
    return float(integral[0])


def asked(item: AnalyticsItem, aggregate: str) -> float:
    bound = definitions.define(item).bound
    value = evaluate(bound, start=START, end=END, aggregate=aggregate).value
    assert value is not None
    return value


def test_the_thirteen_agree_with_the_raw_readings_and_three_with_the_sessions(house: House) -> None:
    items = {item.name: item for item in AnalyticsItem.objects.filter(house=house).order_by("name")}
    assert list(items) == required.NAMES
    materialised = [name for name, item in items.items() if item.aggregated]
    assert materialised == [one.name for one in required.REQUIRED if one.aggregate]
    assert len(materialised) == 8

    for name in MEANT.keys() - set(materialised):  # the five others can be switched on
        perform(aggregate_on(item=items[name]))
    expected = {name: pytest.approx(by_hand(*meant), rel=1e-3, abs=1e-9) for name, meant in MEANT.items()}
    assert {name: kept(name) for name in MEANT} == expected
    assert {name: asked(items[name], "integral") for name in MEANT} == expected
    assert sum(kept(name) != 0 for name in MEANT) >= 12  # the battery may end as full as it began

    ended = [one for one in ChargingSession.objects.all() if one.ended_at and START <= one.ended_at < END]
    begun = ChargingSession.objects.filter(start_seen=True, started_at__gte=START, started_at__lt=END)
    assert len(ended) >= 2
    assert asked(items["ev_event_count"], "count") == begun.count()
    assert asked(items["ev_charge_duration"], "count") == len(ended)
    assert asked(items["ev_charge_duration"], "sum") == sum(one.duration_ms or 0 for one in ended)
    assert asked(items["ev_charge_energy"], "sum") == pytest.approx(
        sum(one.energy_mwh or 0 for one in ended), rel=1e-12
    )


# What feeds or drains the house; its meter counts the car beside the load.
BALANCE = ("grid_import", "grid_export", "load", "ev", "solar", "battery")
FIRST, LAST = date(2026, 6, 12), date(2026, 6, 14)
DAYS = calendar.day_bounds("Europe/Brussels", FIRST)[0], calendar.day_bounds("Europe/Brussels", LAST)[1]


def reported(house: House, kind: str) -> Report:
    period = periods.resolve("range", zone=house.time_zone, now=NOW_MS, first=FIRST, last=LAST)
    made = make(kinds.KINDS[kind], period, "1h", zone=house.time_zone, ask=HouseAsk(house, NOW_MS))
    assert made is not None
    return made


def hourly(house: House, item: str) -> Course:
    start, end = DAYS
    found = HouseAsk(house, NOW_MS).course(item, every="1h", start=start, end=end, aggregate="integral")
    assert found is not None
    return found


def test_reports_add_up_agree_with_the_raw_readings_and_balance(house: House) -> None:
    for kind in kinds.KINDS:
        for trace in reported(house, kind).traces:
            bars = trace.values[~np.isnan(trace.values)]
            assert trace.total == math.fsum(bars.tolist())
            assert trace.total == pytest.approx(by_hand(*MEANT[trace.bar.item], *DAYS), rel=1e-3, abs=1e-6)

    flows = {name: hourly(house, name) for name in BALANCE}
    whole = np.all([flow.coverage >= courses.FULL for flow in flows.values()], axis=0)
    energy = {name: flow.values[whole] for name, flow in flows.items()}
    grid = energy["grid_import"] - energy["grid_export"]
    house_needs = energy["load"] + energy["ev"] - energy["solar"] - energy["battery"]
    assert whole.sum() > 60
    assert abs(grid - house_needs).sum() <= 0.005 * energy["load"].sum()
