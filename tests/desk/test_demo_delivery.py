"""The demo's two weeks in order, shuffled, doubled and in few large uploads: the numbers are the same."""

from __future__ import annotations

import gzip
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.analytics.models import AnalyticsItem
from apps.analytics.mutations import aggregate_on, create_item, create_required
from apps.desk import demo
from apps.desk.demo_devices import APPLIANCES
from apps.devices.edge.body import LIMIT
from apps.devices.models import ChargingSession, Event
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.models import House
from apps.houses.mutations import create_house
from apps.jobs.models import Job
from apps.readings import compaction, recompute, rolling, store
from apps.readings.models import Invalidation, QuarantinedStep, Rollup, Series, Source, Tail
from apps.readings.series import FieldSpec, declare
from tests.analytics.performing import perform
from tests.desk.two_weeks import (
    DAY_MS,
    END,
    HOUR_MS,
    NOW,
    REGISTER_STEP,
    SWAP,
    Told,
    Upload,
    large_uploads,
    two_weeks,
    uploads,
)
from tests.jobs.conftest import queue as queue

pytestmark = pytest.mark.django_db(transaction=True)

PORTS = {"egauge": 8081, "powerflex": 8082, "sonnen": 8083}

# Beside the required ones: over three clocks, over averages that reach over midnight, and over a register.
MORE_ITEMS = {
    "unmetered": "-egauge.A.Load - powerflex.power/1000 + sonnen.status.Pac_total_W/1000",
    "smooth": "pos(avg(egauge.A.GridPower, 7000000) - avg(powerflex.power, 7000000)/1000)",
    "together": "analytics.unmetered*2 - analytics.smooth^2 + register.import/1000",
}

Rows = dict[tuple[str, ...], dict[str, Any]]


@dataclass
class Site:
    """A house as the demo makes it, without a history, and its agent's key."""

    house: House
    key: str
    rng: random.Random

    def deliver(self, bodies: Sequence[Upload], interrupted: int) -> None:
        """Bring them one after another; after each `interrupted`-th some work or other is done."""
        for place, (at, body) in enumerate(bodies, 1):
            with time_machine.travel(at / 1000, tick=False):
                self.send(body)
            if place % interrupted == 0:
                self.work(datetime.fromtimestamp(at / 1000, UTC))

    def send(self, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Encoding": "gzip"}
        answer = Client().post(
            "/api/v1/edge/readings/", gzip.compress(body, 1), "application/json", headers=headers
        )
        assert answer.status_code == 200
        assert answer.json()["refused"] == []

    def work(self, now: datetime) -> None:
        """One of the things that workers do, at a moment that nobody chose."""
        waiting = list(Tail.objects.filter(source__house=self.house).values_list("source", "day").distinct())
        own = list(Source.objects.filter(house=self.house).order_by("pk").values_list("pk", flat=True))
        acts: list[Callable[[], object]] = [
            lambda: store.sweep(now=now),
            lambda: compaction.sweep(now=now),
            lambda: recompute.run_due(recompute.swept(), seconds=60),
            lambda: [rolling.roll(one) for one in self.rng.sample(own, 3)],
            lambda: [store.compact(*one) for one in self.rng.sample(sorted(waiting), min(3, len(waiting)))],
        ]
        self.rng.choice(acts)()

    def settle(self) -> None:
        """Let workers do what there is to do."""
        for _ in range(12):
            for job in Job.objects.unfinished():
                perform(job)
            store.sweep(now=NOW + timedelta(days=2), seconds=600)
        assert not Tail.objects.exists()
        assert not Invalidation.objects.exists()

    def keep_results(self) -> None:
        """Make the sixteen items and some more, and keep the results of all that can be."""
        create_required(house=self.house)
        for name, formula in MORE_ITEMS.items():
            create_item(house=self.house, name=name, formula=formula)
        for item in AnalyticsItem.objects.filter(house=self.house).exclude(formula__contains="events."):
            aggregate_on(item=item)


def make_site(name: str) -> Site:
    house, _ = create_house(by=None, name=name, time_zone=demo.BUILDING.zone)
    for one in APPLIANCES:
        config = one.settings(PORTS[one.kind])
        create_device(house=house, name=one.kind, type=one.kind, config=config, interval_s=one.interval_s)
    config = {"ip": "192.0.2.7", "keys": ["unused"]}
    register = create_device(house=house, name="register", type="egauge", config=config)
    cadence = REGISTER_STEP / 1000
    declare(
        source=register.source,
        fields=[FieldSpec(name, "energy", "kWh", "counter", cadence) for name in ("import", "solar")],
    )
    return Site(house, credentials.issue(house=house).key, random.Random(name))


def in_order(site: Site, told: Told) -> None:
    site.keep_results()
    site.deliver(uploads(told, HOUR_MS), 7)


def shuffled(site: Site, told: Told) -> None:
    """Days in any order, each worked on before its neighbours are there, and some hours later."""
    site.keep_results()
    bodies = uploads(told, HOUR_MS)
    late = site.rng.sample(bodies, 40)
    days = defaultdict(list)
    for at, body in bodies:
        if (at, body) not in late:
            days[(at - 1) // DAY_MS].append((at, body))
    for day in site.rng.sample(sorted(days), len(days)):
        site.deliver(mixed(site, days[day]), 11)
        store.sweep(now=NOW)
    site.deliver(mixed(site, late), 9)


def doubled(site: Site, told: Told) -> None:
    """Repeats come at any time, and results are kept from the middle on."""
    late = mixed(site, uploads(told, 2 * HOUR_MS) * 2)
    site.deliver(late[: len(late) // 2], 37)
    site.keep_results()
    site.deliver(late[len(late) // 2 :], 37)


def at_the_end(site: Site, told: Told) -> None:
    """In as few uploads as there must be; results are kept from when all is there."""
    few = large_uploads(told, LIMIT)
    assert 1 < len(few) < 8
    site.deliver(few, 2)
    site.keep_results()


def mixed(site: Site, bodies: Sequence[Upload]) -> list[Upload]:
    """In any order, after the two weeks."""
    return [(END, body) for _, body in site.rng.sample(bodies, len(bodies))]


def found_in(house: House) -> Rows:
    """All columns but ids of rollups, events, sessions and quarantine, and all points of all series."""
    return {**rollups(house), **points(house), **happened(house)}


def rollups(house: House) -> Rows:
    """Floats to their last bit."""
    kept = [one.name for one in Rollup._meta.fields if one.name not in {"pk", "source", "series"}]
    rows = Rollup.objects.filter(source__house=house).select_related("series__source")
    return {(*name_of(row.series), str(row.day)): {n: repr(getattr(row, n)) for n in kept} for row in rows}


def points(house: House) -> Rows:
    series = {one.pk: one for one in Series.objects.filter(source__house=house).select_related("source")}
    found = store.read(list(series), start=0, end=END + 9 * DAY_MS)
    return {
        name_of(series[number]): {"stamps": own.stamps.tobytes(), "values": own.values.tobytes()}
        for number, own in found.items()
    }


def name_of(series: Series) -> tuple[str, str, str]:
    return series.source.namespace, series.source.name, series.field


def happened(house: House) -> Rows:
    steps = QuarantinedStep.objects.filter(series__source__house=house).values(
        "series__field", "day", "stamp", "value", "before_stamp", "before_value", "why"
    )
    events = Event.objects.filter(house=house).values("source__name", "timestamp", "type", "data")
    sessions = ChargingSession.objects.filter(source__house=house).values(
        "at", "started_at", "start_seen", "ended_at", "energy_mwh"
    )
    tables = {"quarantine": steps, "events": events, "sessions": sessions}
    return {(name,): {repr(row): True for row in rows} for name, rows in tables.items()}


def differing(one: Rows, other: Rows) -> dict[str, list[tuple[str, ...]]]:
    """The rows that differ by column; whole ones where only one side has them."""
    found = defaultdict(list)
    for key in sorted(one.keys() | other.keys()):
        mine, theirs = one.get(key, {}), other.get(key, {})
        for name in mine.keys() | theirs.keys():
            if mine.get(name) != theirs.get(name):
                found[name].append(key)
    return dict(found)


def check_scene(house: House) -> None:
    """All is there that could come out otherwise."""
    kept = Rollup.objects.filter(source__house=house, source__namespace="analytics", series__field="value")
    names = sorted(set(kept.values_list("source__name", flat=True)))
    assert len(names) == 13 + len(MORE_ITEMS)
    assert all(kept.filter(source__name=name).count() >= 15 for name in names)
    assert len(kept.get(source__name="load", day="2026-03-29").starts) == 23 + 1
    assert list(QuarantinedStep.objects.values_list("stamp", flat=True)) == [SWAP]
    assert ChargingSession.objects.filter(source__house=house, ended_at__isnull=False).count() > 3


def test_two_weeks_give_the_same_numbers_however_they_are_delivered(queue: str) -> None:
    told = two_weeks()
    found: list[Rows] = []
    for deliver in (in_order, shuffled, doubled, at_the_end):
        site = make_site(deliver.__name__)
        deliver(site, told)
        site.settle()
        found.append(found_in(site.house))
        if deliver is in_order:
            check_scene(site.house)
        assert differing(found[0], found[-1]) == {}, deliver.__name__
