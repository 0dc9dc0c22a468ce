"""How long states and refusals are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django_celery_beat.models import PeriodicTask

from apps.devices import retention, tasks
from apps.devices.models import STATE, Event, Refusal
from apps.houses.models import House
from apps.readings.models import Source

NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def meter(house_a: House) -> Source:
    return Source.objects.create(house=house_a, name="meter")


def happened(source: Source, days_ago: int, type_: str = STATE, **data: object) -> Event:
    return Event.objects.create(
        house=source.house,
        source=source,
        timestamp=round((NOW - days_ago * DAY).timestamp() * 1000),
        type=type_,
        data=data,
        digest=bytes(16),
    )


def test_states_go_a_year_after_another_took_their_place(meter: Source) -> None:
    happened(meter, 500, field="mode", value="manual")
    held = happened(meter, 400, field="mode", value="self")
    recent = happened(meter, 300, field="mode", value="manual")
    retention.retain(now=NOW)
    assert set(Event.objects.all()) == {held, recent}


def test_fields_and_sources_are_told_apart(meter: Source) -> None:
    other = Source.objects.create(house=meter.house, name="other")
    kept = [
        happened(meter, 500, field="mode", value="self"),
        happened(meter, 400, field="fault", value="none"),
        happened(other, 450, field="mode", value="self"),
    ]
    retention.retain(now=NOW)
    assert list(Event.objects.order_by("pk")) == kept


def test_more_go_than_one_batch_takes(meter: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BATCH", 2)
    for days in range(400, 408):
        happened(meter, days, field="mode", value=str(days))
    retention.retain(now=NOW)
    assert Event.objects.count() == 1


def test_other_events_stay(meter: Source) -> None:
    for days in (500, 400):
        happened(meter, days, "EV_END_CHARGING", energy=1)
    retention.retain(now=NOW)
    assert Event.objects.count() == 2


def test_refusals_go_when_they_have_not_happened_for_90_days(house_a: House) -> None:
    for code, days in (("too_old", 89), ("sealed", 91)):
        at = NOW - days * DAY
        Refusal.objects.create(house=house_a, code=code, count=1, first_at=NOW - 900 * DAY, last_at=at)
    retention.retain(now=NOW)
    assert Refusal.objects.get().code == "too_old"


@pytest.mark.django_db
def test_that_happens_nightly() -> None:
    nightly = PeriodicTask.objects.get(task=tasks.retain.name)
    assert (nightly.crontab.hour, nightly.enabled) == ("3", True)
    tasks.retain.run()
