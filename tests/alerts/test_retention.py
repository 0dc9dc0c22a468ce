"""How long alerts are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_celery_beat.models import PeriodicTask
from model_bakery import baker

from apps.alerts import retention, tasks
from apps.alerts.models import Alert, Maintenance, State
from apps.houses.models import House
from tests.alerts.conftest import NOON

DAY = timedelta(days=1)


def test_alerts_go_a_year_after_they_cleared(house_a: House) -> None:
    for days in (364, 366):
        baker.make(Alert, house=house_a, state=State.CLEARED, cleared_at=NOON - days * DAY)
    lasting = baker.make(Alert, house=house_a, opened_at=NOON - 900 * DAY)
    retention.retain(now=NOON)
    assert set(Alert.objects.values_list("cleared_at", flat=True)) == {None, NOON - 364 * DAY}
    assert lasting in Alert.objects.all()


def test_maintenance_windows_go_a_year_after_they_ended(house_a: House) -> None:
    for days in (364, 366):
        begin = NOON - (days + 1) * DAY
        Maintenance.objects.create(house=house_a, starts_at=begin, ends_at=begin + DAY, reason="New meter")
    retention.retain(now=NOON)
    assert Maintenance.objects.get().ends_at == NOON - 364 * DAY


@pytest.mark.django_db
def test_that_happens_nightly() -> None:
    nightly = PeriodicTask.objects.get(task=tasks.retain.name)
    assert (nightly.crontab.hour, nightly.enabled) == ("3", True)
    tasks.retain.run()
