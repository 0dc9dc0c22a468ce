"""Sealing: what goes, what must be done before, and that nothing changes the numbers of sealed time."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from apps.houses.models import House
from apps.readings import compaction, dependencies, quarantine, sealing, store, working
from apps.readings.counters import Decision, Register, Step, Why
from apps.readings.decisions import decide
from apps.readings.dependencies import Reach
from apps.readings.models import (
    Boundary,
    Clock,
    Dependency,
    Invalidation,
    Kind,
    Namespace,
    QuarantinedStep,
    Rollup,
    Segment,
    Source,
    Tail,
)
from apps.readings.sealing import Going, UnfinishedError
from apps.readings.series import FieldSpec, declare
from tests.readings.building import NOW, held, put
from tests.readings.threads import at_once

BRUSSELS = ZoneInfo("Europe/Brussels")
HOUR = 3_600_000
FIRST = date(2026, 2, 1)
SEAL = date(2026, 2, 10)  # local midnight is 23:00 UTC the day before, so one UTC day stays with both parts


def local(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=BRUSSELS).timestamp() * 1000)


BEFORE = local(SEAL)
STAMPS = range(local(FIRST), local(date(2026, 2, 20)), HOUR)


@pytest.fixture
def meter(source: Source) -> Source:
    """Nineteen days of hourly readings: a power and a register, all rolled up."""
    declare(
        source=source,
        fields=[
            FieldSpec("P", unit="kW", cadence=3600),
            FieldSpec("E", unit="kWh", kind=Kind.COUNTER, cadence=3600),
        ],
    )
    put(source, "P", {stamp: float(place % 7) for place, stamp in enumerate(STAMPS)})
    put(source, "E", {stamp: 1000.0 + place for place, stamp in enumerate(STAMPS)})
    settle(source)
    return source


def settle(*sources: Source) -> None:
    for source in sources:
        for day in sorted(set(Tail.objects.filter(source=source).values_list("day", flat=True))):
            assert store.compact(source.pk, day)
        working.roll_source(source.pk)


def seal(source: Source, day: date = SEAL) -> list[Going]:
    return [*sealing.seal(source=Source.objects.select_related("house").get(pk=source.pk), day=day)]


def versions(before: date | None = None) -> list[tuple[object, ...]]:
    """The rollups before a day, byte by byte, with the version of each row: a write gives it another one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xmin::text, ctid::text, rollup::text FROM readings_rollup AS rollup"
            " WHERE day < coalesce(%s, 'infinity'::date) ORDER BY series_id, day",
            [before],
        )
        return cursor.fetchall()


def stored_days(source: Source) -> list[int]:
    return sorted(set(Segment.objects.filter(source=source).values_list("day", flat=True)))


def test_the_utc_days_before_the_seal_go_and_the_one_it_lies_in_stays(meter: Source) -> None:
    [gone] = seal(meter)
    meter.refresh_from_db()
    assert meter.sealed_before == BEFORE
    assert stored_days(meter) == [*range(BEFORE // store.DAY, STAMPS[-1] // store.DAY + 1)]
    assert not Clock.objects.filter(day__lt=BEFORE // store.DAY).exists()
    assert held(meter, "P", BEFORE - 22 * HOUR, BEFORE) != {}
    assert (gone.days, gone.readings) == (
        9,
        2 * sum(stamp // store.DAY < BEFORE // store.DAY for stamp in STAMPS),
    )


def test_rollups_and_borders_stay(meter: Source) -> None:
    kept, borders = versions(), list(Boundary.objects.values())
    seal(meter)
    working.roll_source(meter.pk)
    assert versions() == kept
    assert list(Boundary.objects.values()) == borders


def test_what_would_go_is_what_goes(meter: Source) -> None:
    would = sealing.going(Source.objects.select_related("house").get(pk=meter.pk), BEFORE)
    assert sum(seal(meter), Going()) == would
    assert would.bytes > 1000


def test_a_long_time_goes_piece_by_piece(meter: Source) -> None:
    put(meter, "P", {local(date(2025, 11, 1)): 1.0})
    settle(meter)
    assert len(seal(meter)) == 4


def test_a_seal_only_grows(meter: Source) -> None:
    seal(meter)
    assert seal(meter, date(2026, 2, 5)) == []
    assert seal(meter) == []
    meter.refresh_from_db()
    assert meter.sealed_before == BEFORE


def test_what_waits_is_compacted_and_rolled_up_first(meter: Source) -> None:
    kept = versions(SEAL)
    put(meter, "P", {STAMPS[5] + 60_000: 99.0})
    seal(meter)
    assert not Tail.objects.exists()
    assert Rollup.objects.get(day=FIRST, series__field="P").max == 99
    assert versions(SEAL) != kept


@pytest.mark.parametrize("offset", [0, -1])
def test_a_day_whose_rollup_is_not_valid_is_not_sealed(
    meter: Source, offset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "follow", lambda *_: None)  # as if another worker had it
    Invalidation.objects.create(source=meter, day=BEFORE // store.DAY + offset, seq=1, reason="a test")
    with pytest.raises(UnfinishedError):
        seal(meter)
    meter.refresh_from_db()
    assert meter.sealed_before is None
    assert len(stored_days(meter)) == 20


def test_later_days_may_wait(meter: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "follow", lambda *_: None)
    Invalidation.objects.create(source=meter, day=BEFORE // store.DAY + 1, seq=1, reason="a test")
    assert len(seal(meter)) == 1


def test_readings_stay_while_something_is_to_be_worked_out_from_them(meter: Source) -> None:
    item = Source.objects.create(house=meter.house, name="item", namespace=Namespace.ANALYTICS)
    dependencies.depend(source_id=item.pk, inputs={meter.pk: Reach(1, 0)})
    day = BEFORE // store.DAY
    Invalidation.objects.create(source=item, day=day, seq=1, recompute=1, reason="a test")
    with pytest.raises(UnfinishedError):
        seal(meter)
    Invalidation.objects.filter(source=item).delete()
    assert len(seal(meter)) == 1


class TestLateData:
    def test_late_readings_leave_sealed_rollups_byte_for_byte(self, meter: Source) -> None:
        seal(meter)
        kept = versions(SEAL)
        put(meter, "P", dict.fromkeys(range(local(FIRST), BEFORE, HOUR // 2), 555.0))
        put(meter, "E", {BEFORE - 1: 9999.0})
        settle(meter)
        assert versions(SEAL) == kept
        assert 555.0 not in held(meter, "P", local(FIRST), BEFORE).values()
        assert not Tail.objects.exists()

    def test_readings_that_raced_with_the_seal_are_discarded_and_counted(
        self, meter: Source, caplog: pytest.LogCaptureFixture
    ) -> None:
        seal(meter)
        put(meter, "P", {BEFORE - 2: 1.0, BEFORE - 1: 1.0, BEFORE: 1.0})
        settle(meter)
        assert "Discarded 2 readings" in caplog.text
        assert held(meter, "P", BEFORE - 2, BEFORE + 1) == {BEFORE: 1.0}

    def test_later_days_go_on_as_they_would_without_a_seal(self, meter: Source, make_source: object) -> None:
        twin = make_source()  # type: ignore[operator]
        declare(source=twin, fields=[FieldSpec("E", unit="kWh", kind=Kind.COUNTER, cadence=3600)])
        put(twin, "E", {stamp: 1000.0 + place for place, stamp in enumerate(STAMPS)})
        settle(twin)
        seal(meter)
        for source in (meter, twin):
            put(source, "E", {BEFORE + HOUR // 2: 1215.25, STAMPS[-1] + HOUR: 1500.0})
            settle(source)
        assert increases(meter) == increases(twin)

    def test_a_withdrawal_reaches_back_to_the_seal_only(self, meter: Source) -> None:
        seal(meter)
        kept = versions(SEAL)
        numbers = list(meter.series.values_list("pk", flat=True))
        store.withdraw(source_id=meter.pk, series_ids=numbers, start=0, end=BEFORE + 3 * HOUR, at=NOW)
        settle(meter)
        assert versions(SEAL) == kept
        assert min(held(meter, "P", BEFORE, BEFORE + 5 * HOUR)) == BEFORE + 3 * HOUR


def increases(source: Source) -> list[tuple[date, float | None]]:
    found = Rollup.objects.filter(source=source, series__field="E").order_by("day")
    return list(found.values_list("day", "increase"))


def test_another_zone_holds_from_the_seal_on(meter: Source) -> None:
    seal(meter)
    kept = versions(SEAL)
    House.objects.filter(pk=meter.house_id).update(time_zone="America/New_York")
    dependencies.invalidate(source_id=meter.pk, first_day=0, last_day=30_000, reason="time zone changed")
    working.roll_source(meter.pk)
    assert versions(SEAL) == kept
    bounds = [
        (row.starts[0], row.starts[-1]) for row in Rollup.objects.filter(series__field="P").order_by("day")
    ]
    assert all(end == begin for (_, end), (begin, _) in pairwise(bounds))


def test_derived_days_with_sealed_input_keep_their_values(meter: Source) -> None:
    item = Source.objects.create(house=meter.house, name="item", namespace=Namespace.ANALYTICS)
    Dependency.objects.create(source=item, input=meter, before=0, after=0)
    seal(meter)
    first, last = local(FIRST) // store.DAY, STAMPS[-1] // store.DAY
    dependencies.invalidate(source_id=item.pk, first_day=first, last_day=last, reason="another formula")
    marked = Invalidation.objects.filter(source=item).values_list("day", flat=True)
    assert (
        min(marked) == BEFORE // store.DAY + 1
    )  # the day the seal lies in has lost nothing, but is not whole


class TestQuarantine:
    def tell(self, source: Source, *stamps: int) -> None:
        steps = [Step(Register(stamp - 1, 9.0), Register(stamp, 1.0), Why.LOWER) for stamp in stamps]
        quarantine.record(series_id=source.series.get(field="E").pk, day=7, steps=steps)

    def test_steps_nobody_decided_on_are_final(self, meter: Source) -> None:
        self.tell(meter, BEFORE - HOUR, BEFORE)
        [gone] = seal(meter)
        assert gone.steps == 1
        assert QuarantinedStep.objects.get().stamp == BEFORE

    def test_one_that_is_told_of_again_waits_for_nobody(self, meter: Source) -> None:
        seal(meter)
        self.tell(meter, BEFORE - HOUR, BEFORE)
        assert [step.stamp for step in QuarantinedStep.objects.waiting()] == [BEFORE]

    def test_what_follows_the_seal_on_the_same_utc_day_can_be_decided_on(self, meter: Source) -> None:
        seal(meter)
        series = meter.series.select_related("source").get(field="E")
        series.source.refresh_from_db()
        decide(series=series, stamp=BEFORE, kind=Decision.SWAP, by=None, at=NOW)


def test_a_source_without_readings_is_sealed_too(source: Source) -> None:
    assert seal(source) == [Going()]
    source.refresh_from_db()
    assert source.sealed_before == BEFORE


def test_a_source_that_is_gone_is_no_error(source: Source) -> None:
    known = Source.objects.select_related("house").get(pk=source.pk)
    source.delete()
    assert [*sealing.seal(source=known, day=SEAL)] == []


def test_rows_that_another_worker_is_busy_with_are_waited_for(
    meter: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(meter, "P", {STAMPS[0] + 1: 1.0})
    monkeypatch.setattr(compaction, "compact", lambda *_: False)
    with pytest.raises(UnfinishedError):
        seal(meter)
    assert Tail.objects.count() == 1


def test_nothing_is_lost_after_a_seal_that_is_set_while_readings_arrive(transactional_db: None) -> None:
    house = House.objects.create(name="busy", time_zone="Europe/Brussels")
    meter = Source.objects.create(house=house, name="meter")
    put(meter, "P", dict.fromkeys(STAMPS, 1.0))
    settle(meter)
    late = range(BEFORE - 3 * store.DAY, BEFORE + 3 * store.DAY, HOUR)

    def write() -> None:
        for stamp in late:
            put(meter, "P", {stamp + 1: 2.0})

    def compact() -> None:
        for stamp in late:
            store.compact(meter.pk, stamp // store.DAY)

    def set_seal() -> None:
        for day in (date(2026, 2, 7), date(2026, 2, 8), date(2026, 2, 9), SEAL):
            with suppress(UnfinishedError):  # what arrived just now waits
                seal(meter, day)

    at_once(write, compact, set_seal)
    settle(meter)
    seal(meter)
    settle(meter)
    kept = held(meter, "P", BEFORE, BEFORE + 4 * store.DAY)
    assert {stamp + 1 for stamp in late if stamp >= BEFORE} <= kept.keys()
    assert set(range(BEFORE, BEFORE + 4 * store.DAY, HOUR)) <= kept.keys()
    assert min(stored_days(meter)) == BEFORE // store.DAY
