"""The life of an alert: opened once, renewed, acknowledged, cleared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from apps.accounts.models import User
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, State
from apps.alerts.mutations import acknowledge, clear, open_or_renew, recover
from apps.devices.models import Device
from apps.houses.models import House
from tests.alerts.conftest import MINUTE, NOON
from tests.readings.threads import at_once


def opened(house: House, at: Any = NOON, **given: Any) -> Alert:
    return open_or_renew(house=house, at=at, **{"kind": Kind.SPOOL, "evidence": {"percent": 80}, **given})


def test_it_is_opened_once_and_then_renewed(house_a: House) -> None:
    first = opened(house_a)
    again = opened(house_a, NOON + MINUTE, evidence={"percent": 90})
    assert (again.pk, again.opened_at, again.evidence) == (first.pk, NOON, {"percent": 90})


def test_other_houses_sources_kinds_and_keys_are_other_alerts(
    house_a: House, house_b: House, egauge: Device
) -> None:
    opened(house_a)
    opened(house_b)
    opened(house_a, source=egauge.source)
    opened(house_a, kind=Kind.CLOCK)
    opened(house_a, key="x")
    assert Alert.objects.count() == 5


def test_after_it_was_cleared_it_opens_anew(house_a: House) -> None:
    first = clear(alert=opened(house_a), at=NOON + MINUTE)
    assert (first.state, first.cleared_at) == (State.CLEARED, NOON + MINUTE)
    assert opened(house_a).pk != first.pk


def test_the_database_itself_keeps_a_second_one_out(house_a: House) -> None:
    opened(house_a)
    with pytest.raises(IntegrityError):
        Alert.objects.create(house=house_a, kind=Kind.SPOOL, opened_at=NOON)


def test_acknowledging_tells_who_and_when_and_lasts(house_a: House, alice: User, admin: User) -> None:
    alert = acknowledge(alert=opened(house_a), by=alice, at=NOON + MINUTE)
    assert (alert.state, alert.acknowledged_by) == (State.ACKNOWLEDGED, alice)
    again = acknowledge(alert=alert, by=admin, at=NOON + timedelta(days=1))
    assert (again.acknowledged_by, again.acknowledged_at) == (alice, NOON + MINUTE)
    assert opened(house_a, evidence={"percent": 99}).state == State.ACKNOWLEDGED


def test_what_is_over_cannot_be_acknowledged_or_cleared_again(house_a: House, alice: User) -> None:
    alert = clear(alert=opened(house_a), at=NOON)
    assert acknowledge(alert=alert, by=alice, at=NOON).state == State.CLEARED
    assert clear(alert=alert, at=NOON + MINUTE).cleared_at == NOON


def test_it_was_over_when_it_was_first_fine_unless_it_came_back(house_a: House) -> None:
    alert = opened(house_a)
    recover(alert_ids=[alert.pk], at=NOON + MINUTE)
    recover(alert_ids=[alert.pk], at=NOON + 2 * MINUTE)
    assert opened(house_a, NOON + 3 * MINUTE).fine_since is None
    recover(alert_ids=[alert.pk], at=NOON + 4 * MINUTE)
    assert clear(alert=alert, at=NOON + 9 * MINUTE).cleared_at == NOON + 4 * MINUTE


@pytest.mark.django_db(transaction=True)
def test_many_at_once_open_one(house_a: House) -> None:
    at_once(*[lambda: opened(house_a)] * 6)
    assert Alert.objects.count() == 1
