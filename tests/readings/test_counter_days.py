"""Counters from arrival to rollup: quarantine, decisions and settings change exactly the days they touch."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from apps.accounts.models import User
from apps.houses.models import House
from apps.jobs.models import Job, State
from apps.jobs.run import perform
from apps.readings import store, working
from apps.readings.counter_settings import set_counter
from apps.readings.counters import Decision
from apps.readings.decisions import decide, revoke
from apps.readings.models import Invalidation, Kind, QuarantinedStep, Rollup, Series, Source, Tail
from apps.readings.series import FieldSpec, declare
from tests.readings.building import DAY, NOW, T0, put

pytestmark = pytest.mark.django_db

HOUR = 3_600_000
DAYS = [date(2026, 3, 9), date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 12)]
START = T0 - store.DAY


@pytest.fixture
def meter(source: Source) -> Series:
    House.objects.filter(pk=source.house_id).update(time_zone="UTC")
    declare(source=source, fields=[FieldSpec("E", unit="kWh", kind=Kind.COUNTER, cadence=3600)])
    return source.series.get()


def settle(source: Source) -> None:
    for day in sorted(set(Tail.objects.filter(source=source).values_list("day", flat=True))):
        assert store.compact(source.pk, day)
    working.roll_source(source.pk)
    assert not Invalidation.objects.exists()


def registers(series: Series, *values: float, start: int = START, step: int = HOUR) -> None:
    put(series.source, series.field, {start + place * step: value for place, value in enumerate(values)})
    settle(series.source)


def increases() -> dict[date, Any]:
    rows = Rollup.objects.order_by("day").values_list("day", "increase")
    return {day: pytest.approx(increase) for day, increase in rows}


def versions() -> dict[date, tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT day, xmin::text, ctid::text FROM readings_rollup")
        return {day: (xmin, ctid) for day, xmin, ctid in cursor.fetchall()}


def rewritten(before: dict[date, tuple[str, str]]) -> list[date]:
    return sorted(day for day, version in versions().items() if before.get(day) != version)


def swap(series: Series) -> int:
    """Four days of 1 kWh an hour; on the third, at noon, another meter begins at 12.3. Its stamp."""
    old = [4000.0 + hour for hour in range(60)]
    registers(series, *old, *(12.3 + hour for hour in range(36)))
    return START + 60 * HOUR


def test_a_swapped_meter_is_quarantined_and_its_growth_counts(meter: Series) -> None:
    stamp = swap(meter)
    step = QuarantinedStep.objects.get()
    assert (step.stamp, step.before_value, step.value, step.day) == (stamp, 4059, 12.3, DAY + 1)
    assert increases() == {DAYS[0]: 24, DAYS[1]: 24, DAYS[2]: 23, DAYS[3]: 23}


@pytest.mark.parametrize(("kind", "increase"), [(Decision.SWAP, 23), (Decision.ACCEPT, 23 + 12.3)])
def test_a_decision_and_its_revocation_rewrite_the_days_they_change_and_no_others(
    meter: Series, alice: User, kind: Decision, increase: float
) -> None:
    stamp = swap(meter)
    before, known = increases(), versions()
    decision = decide(series=meter, stamp=stamp, kind=kind, by=alice, at=NOW)
    settle(meter.source)
    assert increases()[DAYS[2]] == increase
    assert set(rewritten(known)) <= {DAYS[2]}
    assert not QuarantinedStep.objects.exists()

    revoke(decision=decision, by=alice, at=NOW)
    settle(meter.source)
    assert increases() == before
    assert QuarantinedStep.objects.get().stamp == stamp


def test_a_rejected_fall_takes_back_what_followed_on_later_days(meter: Series, alice: User) -> None:
    stamp = swap(meter)
    decide(series=meter, stamp=stamp, kind=Decision.REJECT, by=alice, at=NOW)
    settle(meter.source)
    assert increases()[DAYS[2]] == 11  # 59 h, less the 48 of the first two days
    assert increases().get(DAYS[3]) in (None, 0)


def test_a_step_that_is_told_of_on_the_next_day_is_listed_once(meter: Series) -> None:
    stamp = START + 2 * store.DAY - HOUR
    registers(meter, *(4000.0 + hour for hour in range(47)), 12.3, 12.5, 13, 14, 15)
    step = QuarantinedStep.objects.get()
    assert (step.stamp, step.day) == (stamp, DAY + 1)


def test_late_readings_that_explain_a_step_take_it_off_the_list(meter: Series) -> None:
    registers(meter, 100, 101, 40, 41, 42, 43)
    assert QuarantinedStep.objects.count() == 1
    put(meter.source, "E", {START + 2 * HOUR: 102, START + 3 * HOUR: 103, START + 4 * HOUR: 104})
    put(meter.source, "E", {START + 5 * HOUR: 105})
    settle(meter.source)
    assert not QuarantinedStep.objects.exists()
    assert increases() == {DAYS[0]: 5}


def test_a_dip_whose_decision_falls_on_the_next_day_adds_nothing(meter: Series) -> None:
    registers(meter, *([215.7] * 23), 215.6, 215.7, 215.8)
    assert increases() == {DAYS[0]: 0, DAYS[1]: 0.1}


def test_thirteen_days_offline_are_bridged_whole(meter: Series) -> None:
    registers(meter, 100, 101)
    registers(meter, 101 + 13 * 24, 102 + 13 * 24, start=START + HOUR + 13 * store.DAY)
    assert sum(row.increase for row in Rollup.objects.all()) == pytest.approx(2 + 13 * 24)
    assert increases()[DAYS[1]] == 24


class TestSettings:
    def test_a_rating_has_the_history_judged_again(
        self, transactional_db: None, meter: Series, alice: User
    ) -> None:
        registers(meter, 100, 101, 600, 601, 602, 603)
        assert increases() == {DAYS[0]: 503}
        set_counter(series=meter, rating=10, modulus=None, by=alice)
        job = Job.objects.get()
        perform(job.pk)
        job.refresh_from_db()
        assert (job.state, job.by) == (State.DONE, alice)
        assert str(meter) in job.subject
        assert increases() == {DAYS[0]: 4}
        assert QuarantinedStep.objects.get().why == "impossible"

    def test_a_modulus_makes_a_wrap_of_a_fall(self, meter: Series, alice: User) -> None:
        registers(meter, 65530, 65534, 3, 10)
        assert increases() == {DAYS[0]: 4}
        set_counter(series=meter, rating=None, modulus=65536, by=alice)
        settle(meter.source)
        assert increases() == {DAYS[0]: 16}

    def test_the_same_settings_start_nothing(self, meter: Series, alice: User) -> None:
        registers(meter, 100, 101)
        assert set_counter(series=meter, rating=None, modulus=None, by=alice) == 0
        assert not Job.objects.exists()

    def test_a_meter_without_readings_needs_no_job(self, meter: Series, alice: User) -> None:
        assert set_counter(series=meter, rating=5, modulus=None, by=alice) == 0
        assert not Job.objects.exists()

    def test_only_counters_have_them(self, source: Source, alice: User) -> None:
        declare(source=source, fields=[FieldSpec("P", unit="kW")])
        with pytest.raises(ValidationError, match="only a counter"):
            set_counter(series=source.series.get(), rating=5, modulus=None, by=alice)
