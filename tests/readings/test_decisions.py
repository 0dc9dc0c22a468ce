"""Decisions on steps of counters: what they record, what they mark, and what they refuse."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import User
from apps.readings import quarantine, store
from apps.readings.counters import Decision, Register, Step, Why
from apps.readings.decisions import CONTEXT, context, decide, revoke
from apps.readings.models import CounterDecision, Invalidation, Kind, Series, Source
from apps.readings.series import FieldSpec, declare
from tests.readings.building import DAY, NOW, T0, put

LATER = NOW + timedelta(minutes=5)
SWAPPED = T0 + 30


@pytest.fixture
def meter(source: Source) -> Series:
    """Its register falls from 4001 to 12.3 at SWAPPED; its days are compacted and rolled up."""
    declare(source=source, fields=[FieldSpec("E", unit="kWh", kind=Kind.COUNTER), FieldSpec("P", unit="kW")])
    put(source, "E", {T0 + 10: 4000.0, T0 + 20: 4001.0, SWAPPED: 12.3, T0 + 40: 12.5})
    put(source, "E", {T0 - store.DAY: 3900.0, T0 + store.DAY: 13.0})
    put(source, "P", {T0 + 10: 1.0})
    for day in (DAY - 1, DAY, DAY + 1):
        store.compact(source.pk, day)
    Invalidation.objects.all().delete()
    return source.series.get(field="E")


def marked() -> list[int]:
    return list(Invalidation.objects.order_by("day").values_list("day", flat=True))


def test_a_decision_says_who_when_and_what_it_is_about(meter: Series, alice: User) -> None:
    decision = decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=NOW)
    decision.refresh_from_db()
    assert (decision.kind, decision.by, decision.at) == ("swap", alice, NOW)
    assert (decision.before_stamp, decision.before_value, decision.value) == (T0 + 20, 4001.0, 12.3)


def test_a_quarantined_step_is_the_evidence_of_its_decision(meter: Series, alice: User) -> None:
    step = Step(Register(T0 - 5, 3999.0), Register(SWAPPED, 12.3), Why.LOWER)
    quarantine.record(series_id=meter.pk, day=DAY, steps=[step])
    decision = decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=NOW)
    assert (decision.before_stamp, decision.before_value, decision.why) == (T0 - 5, 3999.0, "lower")


def test_exactly_the_day_of_the_reading_is_worked_out_again(meter: Series, alice: User) -> None:
    decision = decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=NOW)
    assert marked() == [DAY]
    Invalidation.objects.all().delete()
    revoke(decision=decision, by=alice, at=LATER)
    assert marked() == [DAY]


def test_the_same_decision_again_changes_nothing(meter: Series, alice: User) -> None:
    first = decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=NOW)
    Invalidation.objects.all().delete()
    assert decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=LATER) == first
    assert marked() == []


def test_another_decision_takes_the_place_of_the_first_which_stays_on_record(
    meter: Series, alice: User, admin: User
) -> None:
    first = decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=NOW)
    second = decide(series=meter, stamp=SWAPPED, kind=Decision.REJECT, by=admin, at=LATER)
    first.refresh_from_db()
    assert (first.revoked_by, first.revoked_at) == (admin, LATER)
    assert list(CounterDecision.objects.in_force()) == [second]


def test_a_decision_is_revoked_once(meter: Series, alice: User, admin: User) -> None:
    decision = decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=NOW)
    assert revoke(decision=decision, by=alice, at=NOW)
    assert not revoke(decision=decision, by=admin, at=LATER)
    decision.refresh_from_db()
    assert decision.revoked_by == alice


def test_what_was_revoked_can_be_decided_anew(meter: Series, alice: User) -> None:
    revoke(
        decision=decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=NOW), by=alice, at=NOW
    )
    decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=LATER)
    assert CounterDecision.objects.count() == 2


def test_a_reading_that_is_no_step_can_be_rejected(meter: Series, alice: User) -> None:
    assert decide(series=meter, stamp=T0 + 20, kind=Decision.REJECT, by=alice, at=NOW).value == 4001.0


def test_there_must_be_a_reading(meter: Series, alice: User) -> None:
    with pytest.raises(ValidationError, match="no reading at 2026-03-10 00:00:00 UTC"):
        decide(series=meter, stamp=T0 + 25, kind=Decision.SWAP, by=alice, at=NOW)


@pytest.mark.parametrize("stamp", [-1, 2**62, -(2**62)])
def test_a_stamp_beyond_all_calendars_is_no_reading(meter: Series, alice: User, stamp: int) -> None:
    with pytest.raises(ValidationError, match="no reading"):
        decide(series=meter, stamp=stamp, kind=Decision.SWAP, by=alice, at=NOW)


def test_only_registers_have_steps(meter: Series, alice: User) -> None:
    power = meter.source.series.get(field="P")
    with pytest.raises(ValidationError, match="no counter"):
        decide(series=power, stamp=T0 + 10, kind=Decision.SWAP, by=alice, at=NOW)


def test_nothing_is_decided_or_revoked_of_what_is_sealed(meter: Series, alice: User) -> None:
    decision = decide(series=meter, stamp=SWAPPED, kind=Decision.SWAP, by=alice, at=NOW)
    Source.objects.filter(pk=meter.source_id).update(sealed_before=T0 + 1000)
    Invalidation.objects.all().delete()
    again = Series.objects.get(pk=meter.pk)
    with pytest.raises(ValidationError, match="stay as they are"):
        decide(series=again, stamp=SWAPPED, kind=Decision.REJECT, by=alice, at=NOW)
    with pytest.raises(ValidationError, match="stay as they are"):
        revoke(decision=decision, by=alice, at=NOW)
    assert marked() == []


def test_the_readings_around_a_step_are_its_context(meter: Series) -> None:
    near = [(stamp - T0, value) for stamp, value in context(meter, SWAPPED)]
    assert near == [(10, 4000.0), (20, 4001.0), (30, 12.3), (40, 12.5), (store.DAY, 13.0)]


def test_the_context_is_small(source: Source) -> None:
    put(source, "E", {T0 + place: float(place) for place in range(100)})
    near = context(source.series.get(), T0 + 50)
    assert [stamp - T0 for stamp, _ in near] == list(range(50 - CONTEXT, 50 + CONTEXT + 1))
