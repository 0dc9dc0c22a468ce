"""Quarantined steps as the days that tell of them record them, and the decisions that folding asks for."""

from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.houses.models import House
from apps.readings import quarantine
from apps.readings.counters import Decision, Register, Settings, Step, Why
from apps.readings.models import CounterDecision, Kind, QuarantinedStep, Series, Source
from apps.readings.series import FieldSpec, declare
from tests.readings.building import DAY, NOW, T0


@pytest.fixture
def meter(source: Source) -> Series:
    declare(source=source, fields=[FieldSpec("E", unit="kWh", kind=Kind.COUNTER, rating=10, modulus=1e5)])
    return source.series.get()


def step(stamp: int, value: float = 12.0) -> Step:
    return Step(Register(stamp - 10, 4000.0), Register(stamp, value), Why.LOWER)


def recorded() -> list[tuple[int, int, float]]:
    return list(QuarantinedStep.objects.order_by("stamp").values_list("day", "stamp", "value"))


def test_settings_are_those_of_the_series(meter: Series) -> None:
    assert quarantine.settings_of(meter) == Settings(rating=10, modulus=1e5)


def test_a_day_holds_exactly_the_steps_it_last_told_of(meter: Series) -> None:
    quarantine.record(series_id=meter.pk, day=DAY, steps=[step(T0), step(T0 + 50)])
    quarantine.record(series_id=meter.pk, day=DAY, steps=[step(T0 + 50, 13.0), step(T0 + 70)])
    assert recorded() == [(DAY, T0 + 50, 13.0), (DAY, T0 + 70, 12.0)]


def test_other_days_and_series_are_left_alone(meter: Series, source: Source) -> None:
    declare(source=source, fields=[FieldSpec("F", unit="kWh", kind=Kind.COUNTER)])
    quarantine.record(series_id=meter.pk, day=DAY - 1, steps=[step(T0 - 500)])
    quarantine.record(series_id=source.series.get(field="F").pk, day=DAY, steps=[step(T0)])
    quarantine.record(series_id=meter.pk, day=DAY, steps=[])
    assert QuarantinedStep.objects.count() == 2


def test_a_step_moves_to_the_day_that_tells_of_it_now(meter: Series) -> None:
    quarantine.record(series_id=meter.pk, day=DAY + 1, steps=[step(T0)])
    quarantine.record(series_id=meter.pk, day=DAY, steps=[step(T0)])
    quarantine.record(series_id=meter.pk, day=DAY + 1, steps=[])
    assert recorded() == [(DAY, T0, 12.0)]


def test_decisions_in_force_are_found_by_series_and_stamp(meter: Series) -> None:
    CounterDecision.objects.create(series=meter, stamp=T0, value=1, kind=Decision.SWAP, at=NOW)
    CounterDecision.objects.create(
        series=meter, stamp=T0 + 1, value=1, kind=Decision.ACCEPT, at=NOW, revoked_at=NOW
    )
    CounterDecision.objects.create(series=meter, stamp=T0 + 5, value=1, kind=Decision.REJECT, at=NOW)
    found = quarantine.decisions_of([meter.pk], start=T0, end=T0 + 5)
    assert found == {meter.pk: {T0: Decision.SWAP}}


def test_what_is_decided_no_longer_waits(meter: Series) -> None:
    quarantine.record(series_id=meter.pk, day=DAY, steps=[step(T0), step(T0 + 50)])
    CounterDecision.objects.create(series=meter, stamp=T0, value=1, kind=Decision.SWAP, at=NOW)
    assert [waiting.stamp for waiting in QuarantinedStep.objects.waiting()] == [T0 + 50]


def test_steps_and_decisions_are_visible_in_their_houses(
    meter: Series, alice: User, charlie: User, admin: User, house_b: House
) -> None:
    quarantine.record(series_id=meter.pk, day=DAY, steps=[step(T0)])
    CounterDecision.objects.create(series=meter, stamp=T0, value=1, kind=Decision.SWAP, at=NOW)
    for model in (QuarantinedStep, CounterDecision):
        seen = [model.objects.visible_to(person).count() for person in (alice, charlie, admin)]
        assert seen == [1, 0, 1]
