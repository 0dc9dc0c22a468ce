"""Continuous aggregation: what is stored of an item's results, computed when, and taken away again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.accounts.models import User
from apps.analytics import keeping, panes
from apps.analytics.models import AnalyticsItem, ItemDay
from apps.analytics.mutations import aggregate_off, aggregate_on, delete_item, edit_item
from apps.devices.models import Device
from apps.jobs import run as jobs
from apps.jobs.models import Job, State
from apps.readings import damage, recompute, store
from apps.readings.dependencies import inputs_of
from apps.readings.models import Damage, Dependency, Invalidation, Namespace, Segment, Series, Source
from apps.readings.samples import DAY
from tests.analytics.conftest import MakeItem
from tests.analytics.performing import perform
from tests.jobs.conftest import queue as queue
from tests.readings.building import block, held, put

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]

FIRST = 20_600  # a UTC day
POWER = "status.Pac_total_W"
MINUTE = 60_000


def at(day: int, minute: int = 0) -> int:
    return (FIRST + day) * DAY + minute * MINUTE


def fill(device: Device, *days: int, value: float = 500.0) -> None:
    """Ten minutes of battery power on each of the days, compacted."""
    for day in days:
        put(device.source, POWER, {at(day, minute): value + minute for minute in range(10)})
        store.compact(device.source.pk, FIRST + day)


def in_a_worker(job: Job | None) -> Job:
    """Run it as a worker does, with signs of life."""
    assert job is not None
    jobs.perform(job.pk)
    job.refresh_from_db()
    return job


def swept() -> int:
    """Compute what late readings touched, as the sweep does."""
    return recompute.run_due([Namespace.ANALYTICS], seconds=60)


def kept(item: AnalyticsItem, *days: int) -> dict[int, float]:
    """The stored results of the item by minutes since the first day."""
    source = Source.objects.get(house=item.house, namespace=Namespace.ANALYTICS, name=item.name)
    days = days or (0, 1, 2, 3, 4, 5)
    found = [held(source, "value", at(day), at(day + 1)) for day in days]
    return {(stamp - at(0)) // MINUTE: value for one in found for stamp, value in one.items()}


def due(item: AnalyticsItem) -> list[int]:
    item.refresh_from_db()
    days = ItemDay.objects.filter(source=item.source_id, due=True).order_by("day")
    return [day - FIRST for day in days.values_list("day", flat=True)]


def shown(item: AnalyticsItem) -> dict[str, Any]:
    """What the item's page tells an administrator of its state."""
    return panes.state_context(reload(item), User(role="administrator"), timezone.now())


def reload(item: AnalyticsItem) -> AnalyticsItem:
    return AnalyticsItem.objects.with_days().select_related("house").get(pk=item.pk)


@pytest.fixture
def battery(make: MakeItem, sonnen: Device, alice: User) -> AnalyticsItem:
    """Three days of the battery, of which nothing is kept yet."""
    fill(sonnen, 0, 1, 2)
    return make("battery", f"sonnen.{POWER}/1000", unit="kW", by=alice)


Interrupt = Callable[[int], None]


@pytest.fixture
def stopped_after(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Have a job cancelled when it has computed so many days."""

    def interrupt(days: int) -> None:
        done = []
        whole = keeping.compute

        def counted(source_id: int, day: int) -> None:
            whole(source_id, day)
            done.append(day)
            if len(done) == days:
                raise jobs.Cancelled

        monkeypatch.setattr(keeping, "compute", counted)

    return interrupt


class TestOn:
    def test_the_result_becomes_a_source_of_its_own(self, battery: AnalyticsItem, alice: User) -> None:
        job = aggregate_on(item=battery, by=alice)
        assert job is not None
        assert (job.by, str(job)) == (alice, "Compute an analytics item: analytics.battery of House A")
        assert perform(job) == (3, 3)
        source = Source.objects.get(namespace=Namespace.ANALYTICS)
        series = source.series.get()
        assert (source.name, source.house, str(series)) == ("battery", battery.house, "battery.value")
        assert (series.kind, series.unit, series.quantity) == ("gauge", "kW", "power")
        assert kept(battery) == {day * 1440 + m: (500 + m) / 1000 for day in range(3) for m in range(10)}
        assert due(battery) == []

    def test_the_newest_day_is_computed_first(
        self, battery: AnalyticsItem, alice: User, stopped_after: Interrupt
    ) -> None:
        stopped_after(1)
        with pytest.raises(jobs.Cancelled):
            perform(aggregate_on(item=battery, by=alice))
        assert {minute // 1440 for minute in kept(battery)} == {2}

    @pytest.mark.django_db(transaction=True)
    def test_a_stopped_job_is_told_and_gone_on_with(
        self, battery: AnalyticsItem, alice: User, stopped_after: Interrupt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stopped_after(2)
        first = in_a_worker(aggregate_on(item=battery, by=alice))
        assert (first.state, due(battery)) == (State.CANCELLED, [0])
        told = shown(battery)["kept"]
        assert (told.word, told.detail, told.progress) == ("stopped", "2 of 3 days are computed.", 66)
        monkeypatch.undo()
        second = in_a_worker(aggregate_on(item=battery, by=alice))
        assert (second.state, second.done, second.pk > first.pk) == (State.DONE, 1, True)
        assert due(battery) == []
        assert shown(battery)["kept"].word == "on"

    def test_a_job_whose_worker_died_goes_on_where_it_was(
        self, battery: AnalyticsItem, alice: User, stopped_after: Interrupt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = aggregate_on(item=battery, by=alice)
        keeping.compute(
            Source.objects.get(namespace="analytics").pk, FIRST + 2
        )  # and then the light went out
        assert perform(job) == (2, 2)
        assert len(kept(battery)) == 30

    def test_switching_on_twice_starts_one_job(self, battery: AnalyticsItem, alice: User) -> None:
        assert aggregate_on(item=battery, by=alice) == aggregate_on(item=battery, by=alice)
        assert Job.objects.count() == 1

    def test_with_no_readings_there_is_nothing_to_do_yet(self, make: MakeItem, sonnen: Device) -> None:
        item = make("battery", f"sonnen.{POWER}")
        assert aggregate_on(item=item) is None
        fill(sonnen, 0)
        assert swept() == 1
        assert len(kept(item)) == 10

    def test_intervals_keep_their_lengths(self, make: MakeItem, meter: Device) -> None:
        stamps = [at(0, 1), at(0, 2)]
        store.append(
            [store.Upload(meter.pk, (block("A.Solar _length", stamps, [1.0, -2.0], [60_000, 30_000]),))],
            received_at=timezone.now(),
        )
        item = make("sun", "pos(egauge.A.Solar)")
        perform(aggregate_on(item=item))
        source = Source.objects.get(namespace="analytics")
        assert Series.objects.get(source=source, field="value").kind == "interval"
        assert kept(item) == {1: 1.0, 2: 0.0}
        assert list(held(source, "_length", at(0), at(1)).values()) == [60_000, 30_000]

    @pytest.mark.parametrize(
        ("formula", "message"),
        [
            ("events.::EV_START_CHARGING", "reads events"),
            (f"avg(sonnen.{POWER}, {32 * DAY})", "more than 31 days"),
            ("7", "never changes"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, make: MakeItem, formula: str, message: str) -> None:
        item = make("it", formula)
        with pytest.raises(ValidationError, match=message):
            aggregate_on(item=item)
        assert not Source.objects.filter(namespace="analytics").exists()

    def test_who_switched_it_is_noted(self, battery: AnalyticsItem, alice: User) -> None:
        aggregate_on(item=battery, by=alice)
        latest = battery.history.latest()
        assert (latest.history_user, latest.aggregated) == (alice, True)


@pytest.mark.parametrize(
    "formula",
    [
        "egauge.A.Solar",  # its lengths are the time since the reading before, over midnight too
        f"pos(sonnen.{POWER} - 504)",
        f"egauge.A.Solar*1000 + sonnen.{POWER}",
        f"avg(sonnen.{POWER}, {7 * 3_600_000}) - egauge.A.Solar",
        f"avg(sonnen.{POWER}, {2 * DAY})",
    ],
)
def test_the_order_in_which_readings_come_makes_no_difference(
    make: MakeItem, meter: Device, sonnen: Device, formula: str
) -> None:
    early = make("early", formula, aggregate=True)
    for day in (2, 0, 3, 1):
        for minute in (1430, 0, 700):
            put(meter.source, "A.Solar", {at(day, minute + n): n / 4 + day for n in range(0, 10, 2)})
            put(sonnen.source, POWER, {at(day, minute + n) + 7_000: 500.0 + n for n in range(10)})
        for device in (meter, sonnen):
            store.compact(device.source.pk, FIRST + day)
        swept()
    late = make("late", formula, aggregate=True)
    perform(Job.objects.latest("pk"))
    assert kept(early) == kept(late) != {}
    early.refresh_from_db()
    late.refresh_from_db()
    assert payloads(early) == payloads(late)


def payloads(item: AnalyticsItem) -> list[tuple[Any, ...]]:
    """All that is stored of the item, but for its ids and revisions."""
    rows = Segment.objects.filter(source=item.source_id).order_by("day", "series__field")
    return [
        (day, field, bytes(raw)) for day, field, raw in rows.values_list("day", "series__field", "payload")
    ]


class TestLater:
    @pytest.fixture
    def battery(self, battery: AnalyticsItem) -> AnalyticsItem:
        perform(aggregate_on(item=battery))
        return reload(battery)

    def test_late_readings_compute_exactly_the_touched_day(
        self, battery: AnalyticsItem, sonnen: Device
    ) -> None:
        before = revisions(battery)
        put(sonnen.source, POWER, {at(1, 30): -250.0})
        store.compact(sonnen.source.pk, FIRST + 1)
        assert swept() == 1
        assert kept(battery, 1)[1440 + 30] == -0.25
        changed = {day for day, revision in revisions(battery).items() if before[day] != revision}
        assert changed == {1}

    def test_readings_that_say_nothing_new_compute_nothing(
        self, battery: AnalyticsItem, sonnen: Device
    ) -> None:
        fill(sonnen, 0, 1, 2)
        assert swept() == 0

    def test_a_new_day_is_computed_when_it_comes(self, battery: AnalyticsItem, sonnen: Device) -> None:
        fill(sonnen, 5)
        assert swept() == 1
        assert len(kept(battery, 5)) == 10
        assert shown(battery)["kept"].detail == "4 days kept."

    def test_another_formula_computes_every_day_by_a_job(self, battery: AnalyticsItem, alice: User) -> None:
        item = edit_item(item=battery, formula=f"pos(sonnen.{POWER})", by=alice)
        assert due(item) == [0, 1, 2]
        assert kept(item)[0] == 0.5  # until its turn comes
        job = Job.objects.latest("pk")
        assert (perform(job), job.by) == ((3, 3), alice)
        assert kept(item)[0] == 500
        assert set(ItemDay.objects.values_list("version", flat=True)) == {2}

    def test_a_formula_that_gives_the_same_writes_nothing(self, battery: AnalyticsItem) -> None:
        before = revisions(battery)
        edit_item(item=battery, formula=f"(sonnen.{POWER})/1000")
        perform(Job.objects.latest("pk"))
        assert revisions(battery) == before

    def test_items_above_are_computed_again_too(self, battery: AnalyticsItem, make: MakeItem) -> None:
        above = make("charging", "-neg(analytics.battery)", aggregate=True)
        make("other", "analytics.battery + 1")
        perform(Job.objects.latest("pk"))
        edit_item(item=battery, formula=f"-sonnen.{POWER}/1000")
        started = [one.args["item"] for one in Job.objects.unfinished().order_by("pk")]
        assert started == [battery.pk, above.pk]
        for job in Job.objects.unfinished():
            perform(job)
        assert kept(above)[0] == 0.5
        assert [one.item.name for one in panes.consequences(battery)] == ["battery", "charging"]

    def test_an_item_above_that_does_not_work_keeps_nobody_from_editing(
        self, battery: AnalyticsItem, make: MakeItem, meter: Device
    ) -> None:
        make("both", "analytics.battery + egauge.A.Solar", aggregate=True)
        meter.source.series.filter(field="A.Solar").delete()
        edit_item(item=battery, formula=f"2*sonnen.{POWER}")
        assert Job.objects.latest("pk").args["item"] == battery.pk

    def test_a_formula_of_another_kind_is_another_kind_of_series(
        self, battery: AnalyticsItem, meter: Device
    ) -> None:
        put(meter.source, "A.Solar", {at(1, 1): 2.0, at(1, 2): 4.0})
        item = edit_item(item=battery, formula="egauge.A.Solar", unit="")
        assert due(item) == [0, 1, 2]  # those that hold something now are emptied
        perform(Job.objects.latest("pk"))
        series = Series.objects.get(source=item.source, field="value")
        assert (series.kind, series.unit) == ("interval", "kW")
        assert kept(item) == {1442: 4.0}  # the first has no length
        assert list(inputs_of(item.source_id or 0)) == [meter.pk]

    def test_a_formula_that_cannot_be_kept_is_refused(self, battery: AnalyticsItem, make: MakeItem) -> None:
        above = make("above", "analytics.battery")
        with pytest.raises(ValidationError, match="Switch its continuous aggregation off"):
            edit_item(item=battery, formula="events.::EV_START_CHARGING")
        aggregate_off(item=battery)
        aggregate_on(item=above)
        with pytest.raises(ValidationError, match=r"analytics\.above, whose results are kept"):
            edit_item(item=battery, formula="events.::EV_START_CHARGING")

    def test_an_edit_while_days_are_computed_starts_again(self, battery: AnalyticsItem) -> None:
        edit_item(item=battery, formula=f"2*sonnen.{POWER}")
        first = Job.objects.latest("pk")
        edit_item(item=battery, formula=f"3*sonnen.{POWER}")
        second = Job.objects.latest("pk")
        first.refresh_from_db()
        assert (first.state, second.state) == (State.CANCELLED, State.QUEUED)
        perform(second)
        assert kept(battery)[0] == 1500

    def test_sealed_days_keep_their_values_and_version(self, battery: AnalyticsItem, sonnen: Device) -> None:
        Source.objects.filter(pk=sonnen.pk).update(sealed_before=at(1))
        edit_item(item=battery, formula=f"-sonnen.{POWER}")
        assert due(battery) == [1, 2]
        perform(Job.objects.latest("pk"))
        assert (kept(battery)[0], kept(battery)[1440]) == (0.5, -500)
        versions = dict(ItemDay.objects.order_by("day").values_list("day", "version"))
        assert versions == {FIRST: 1, FIRST + 1: 2, FIRST + 2: 2}
        assert shown(battery)["older"] == 1

    def test_another_unit_is_told_of_the_series_and_computes_nothing(self, battery: AnalyticsItem) -> None:
        edit_item(item=battery, unit="kW DC")
        assert Series.objects.get(source=battery.source, field="value").unit == "kW DC"
        assert due(battery) == []

    def test_what_a_deleted_device_measured_is_gone_from_the_results(
        self, battery: AnalyticsItem, sonnen: Device
    ) -> None:
        sonnen.source.series.all().delete()
        keeping.compute(battery.source_id or 0, FIRST)
        assert kept(battery, 0) == {}


class TestOff:
    @pytest.fixture
    def battery(self, battery: AnalyticsItem) -> AnalyticsItem:
        perform(aggregate_on(item=battery))
        return reload(battery)

    def test_the_source_goes_and_the_item_stays(self, battery: AnalyticsItem, alice: User) -> None:
        job = aggregate_off(item=battery, by=alice)
        assert not Dependency.objects.exists()
        assert shown(battery)["kept"].word == "being removed"
        perform(job)
        item = reload(battery)
        assert (item.aggregated, item.source_id) == (False, None)
        assert not Source.objects.filter(namespace="analytics").exists()
        assert not ItemDay.objects.exists()
        assert not Segment.objects.exclude(source__namespace="device").exists()
        assert panes.kept(item).word == "off"

    def test_it_is_not_switched_on_while_it_is_removed(self, battery: AnalyticsItem) -> None:
        aggregate_off(item=battery)
        with pytest.raises(ValidationError, match="being removed"):
            aggregate_on(item=battery)

    def test_a_removal_that_was_stopped_is_told_and_can_be_gone_on_with_or_undone(
        self, battery: AnalyticsItem
    ) -> None:
        for _ in range(2):
            job = aggregate_off(item=battery)
            assert job is not None
            jobs.cancel(job=job, by=None)
            assert panes.kept(reload(battery)).word == "off, with remains"
        perform(aggregate_on(item=battery))
        assert len(kept(battery)) == 30
        perform(aggregate_off(item=battery))
        assert aggregate_off(item=battery) is None

    def test_a_job_that_computes_leaves_what_is_switched_off(self, battery: AnalyticsItem) -> None:
        edit_item(item=battery, formula=f"2*sonnen.{POWER}")
        filling = Job.objects.latest("pk")
        aggregate_off(item=battery)
        filling.refresh_from_db()
        assert filling.state == State.CANCELLED
        keeping.compute(battery.source_id or 0, FIRST)
        assert kept(battery)[0] == 0.5

    def test_deleting_takes_what_was_kept_with_it(self, battery: AnalyticsItem, alice: User) -> None:
        perform(delete_item(item=battery, by=alice))
        assert not AnalyticsItem.objects.exists()
        assert not Source.objects.filter(namespace="analytics").exists()
        assert AnalyticsItem.history.latest().history_user == alice

    def test_deleting_during_a_removal_deletes_the_item_too(self, battery: AnalyticsItem) -> None:
        removal = aggregate_off(item=battery)
        deletion = delete_item(item=battery)
        assert deletion != removal
        perform(removal)
        perform(deletion)
        assert not AnalyticsItem.objects.exists()

    def test_a_house_is_deleted_with_its_items_and_their_results(self, battery: AnalyticsItem) -> None:
        battery.house.delete()
        assert not AnalyticsItem.objects.exists()
        assert not ItemDay.objects.exists()


def revisions(item: AnalyticsItem) -> dict[int, int]:
    item.refresh_from_db()
    rows = Segment.objects.filter(source=item.source_id).values_list("day", "revision")
    return {day - FIRST: revision for day, revision in rows}


class TestDamage:
    def test_days_that_can_be_read_are_computed_by_the_job_and_by_the_sweep(
        self, make: MakeItem, sonnen: Device
    ) -> None:
        fill(sonnen, *range(7))
        item = make("battery", f"sonnen.{POWER}/1000")
        stored = Segment.objects.get(day=FIRST + 3)
        Segment.objects.filter(pk=stored.pk).update(payload=b"damaged")
        job = in_a_worker(aggregate_on(item=item))
        assert job.state == State.FAILED
        assert job.message.startswith("Readings of 3 days are damaged. 2026-05-30 (UTC): ")
        assert {minute // 1440 for minute in kept(item, *range(7))} == {0, 1, 5, 6}
        assert due(item) == [2, 3, 4]

        put(sonnen.source, POWER, {at(day, 60): 100.0 for day in range(7)})
        store.sweep(now=timezone.now())
        assert {minute for minute in kept(item, 0, 1, 5, 6) if minute % 1440 == 60} == {
            day * 1440 + 60 for day in (0, 1, 5, 6)
        }
        noted = Damage.objects.filter(step=damage.Step.COMPACT).values_list("day", flat=True)
        assert list(noted) == [FIRST + 3]
        Segment.objects.filter(pk=stored.pk).update(payload=stored.payload)
        perform(aggregate_on(item=item))
        for _ in range(2):
            store.sweep(now=timezone.now())
        assert {minute // 1440 for minute in kept(item, *range(7))} == set(range(7))
        assert not Damage.objects.exists()
        assert not Invalidation.objects.exists()
