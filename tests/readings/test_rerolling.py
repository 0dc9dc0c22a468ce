"""Another time zone has a house rolled up again, from the seal on, as a job that people see."""

from __future__ import annotations

from datetime import date

import pytest

from apps.accounts.models import User
from apps.houses import mutations
from apps.houses.models import House
from apps.jobs.models import Job, State
from apps.jobs.run import perform
from apps.readings import rerolling, store, working
from apps.readings.dependencies import Reach, depend
from apps.readings.models import Invalidation, Rollup, Source
from apps.readings.series import FieldSpec, declare, set_unit
from tests.readings.building import DAY, T0, number, put
from tests.readings.conftest import MakeSource
from tests.readings.oracle import HOUR

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled(source: Source, house_a: House) -> Source:
    """Three UTC days of 1 kW, half-hourly and rolled up in UTC."""
    House.objects.filter(pk=house_a.pk).update(time_zone="UTC")
    house_a.refresh_from_db()
    declare(source=source, fields=[FieldSpec("P", unit="kW", cadence=1800)])
    put(source, "P", {T0 + half * HOUR // 2: 1.0 for half in range(3 * 48)})
    for day in range(3):
        store.compact(source.pk, DAY + day)
    working.roll_all(seconds=30)
    return source


def days() -> list[tuple[date, float | None, int]]:
    """Each local day: its energy, and the hour (UTC, from T0 on) at which it begins."""
    return [(row.day, row.integral, (row.starts[0] - T0) // HOUR) for row in Rollup.objects.order_by("day")]


def march(day: int) -> date:
    return date(2026, 3, day)


def test_another_zone_moves_every_day(filled: Source, house_a: House, alice: User) -> None:
    assert days() == [(march(10), 24, 0), (march(11), 24, 24), (march(12), 23.5, 48)]
    mutations.update_house(house=house_a, by=alice, time_zone="America/New_York")
    job = Job.objects.get(kind=rerolling.KIND)
    assert (job.by, job.subject) == (alice, f"{house_a}, America/New_York")
    perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done, job.total) == (State.DONE, 3, 3)
    assert days() == [(march(9), 4, -20), (march(10), 24, 4), (march(11), 24, 28), (march(12), 19.5, 52)]
    assert not Invalidation.objects.exists()


def test_the_sweep_goes_on_where_a_job_was_cancelled(filled: Source, house_a: House) -> None:
    mutations.update_house(house=house_a, by=None, time_zone="America/New_York")
    working.roll_all(seconds=30)
    assert days()[0] == (march(9), 4, -20)


def test_other_edits_of_a_house_start_nothing(filled: Source, house_a: House) -> None:
    mutations.update_house(house=house_a, by=None, label="Home", time_zone="UTC")
    assert not Job.objects.exists()
    assert not Invalidation.objects.exists()


@pytest.mark.parametrize(
    ("zone", "after"),
    [
        # New days begin 4 h after midnight UTC: those 4 h would be the 10th, which is sealed.
        ("America/New_York", [(march(11), 28, 24), (march(12), 19.5, 52)]),
        # New days begin at 23:00 UTC: the first is an hour short.
        ("Europe/Brussels", [(march(11), 23, 24), (march(12), 24, 47), (march(13), 0.5, 71)]),
        ("UTC", [(march(11), 24, 24), (march(12), 23.5, 48)]),
    ],
)
def test_sealed_days_stay_and_the_first_after_them_begins_at_the_seal(
    filled: Source, house_a: House, zone: str, after: list[tuple[date, float, int]]
) -> None:
    Source.objects.filter(pk=filled.pk).update(sealed_before=T0 + store.DAY)
    mutations.update_house(house=house_a, by=None, time_zone=zone)
    working.roll_all(seconds=30)
    assert days() == [(march(10), 24, 0), *after]
    # And so whichever of its days changes.
    for day in (1, 2):
        Invalidation.objects.create(source=filled, day=DAY + day, seq=10**9, reason="again")
        working.roll_all(seconds=30)
    assert days() == [(march(10), 24, 0), *after]


def test_another_cadence_is_another_coverage(filled: Source) -> None:
    declare(source=filled, fields=[FieldSpec("P", unit="kW", cadence=300)])
    working.roll_all(seconds=30)
    assert {row.covered for row in Rollup.objects.all()} == {0.0}
    declare(source=filled, fields=[FieldSpec("P", unit="kW", cadence=300)])
    assert not Invalidation.objects.exists()


def test_another_kind_is_another_meaning(source: Source) -> None:
    put(source, "E", {T0 + hour * HOUR: float(hour) for hour in range(3)})
    store.compact(source.pk, DAY)
    working.roll_all(seconds=30)
    assert Rollup.objects.get().increase is None
    set_unit(series=source.series.get(pk=number(source, "E")), unit="kWh", kind="counter")
    working.roll_all(seconds=30)
    assert Rollup.objects.get().increase == 2


def test_what_is_worked_out_from_a_source_is_computed_again_with_its_settings(
    filled: Source, make_source: MakeSource
) -> None:
    item = make_source()
    depend(source_id=item.pk, inputs={filled.pk: Reach(0, 0)})
    declare(source=filled, fields=[FieldSpec("P", unit="kW", cadence=60)])
    assert Invalidation.objects.filter(source=item).exclude(recompute=None).count() == 3
