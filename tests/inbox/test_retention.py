"""How long bodies are kept, and what stays of an arrival."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import Settings

from apps.inbox import bodies, retention, tasks
from apps.inbox.models import Body, Receipt, State
from apps.inbox.parsing import parse, sweep
from tests.inbox.conftest import AT, Arrive

pytestmark = pytest.mark.django_db(transaction=True)


def days(count: float) -> timedelta:
    return timedelta(days=count)


def test_a_body_goes_after_ninety_days_and_its_receipt_stays(parsed: Arrive) -> None:
    old = parsed("old", received_at=AT - days(90.01), metadata={"filename": "a.log"})
    young = parsed("young", received_at=AT - days(89.99))
    retention.retain(now=AT)
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.state, old.body, old.metadata) == (State.EXPIRED, None, {"filename": "a.log"})
    assert old.parsed_at
    assert (young.state, bodies.body_of(young)) == (State.PARSED, b"young")
    assert Body.objects.count() == 1
    with pytest.raises(bodies.BodyMissing, match="no longer kept"):
        bodies.body_of(old)


def test_the_time_is_a_setting(parsed: Arrive, settings: Settings) -> None:
    settings.INBOX_KEEP_DAYS = 7
    receipt = parsed(received_at=AT - days(8))
    retention.retain(now=AT)
    receipt.refresh_from_db()
    assert receipt.state == State.EXPIRED


def test_what_waits_to_be_mapped_stays_for_a_year(parsed: Arrive, settings: Settings) -> None:
    waiting = parsed("north\nmap", received_at=AT - days(364.9))
    forgotten = parsed("map", received_at=AT - days(365.1))
    retention.retain(now=AT)
    waiting.refresh_from_db()
    forgotten.refresh_from_db()
    assert (waiting.state, bodies.body_of(waiting)) == (State.NEEDS_MAPPING, b"north\nmap")
    assert (forgotten.state, forgotten.body) == (State.EXPIRED, None)
    settings.INBOX_KEEP_WAITING_DAYS = 0  # it never goes before what nobody waits for
    retention.retain(now=waiting.received_at + days(89))
    assert Body.objects.count() == 1
    retention.retain(now=waiting.received_at + days(91))
    assert not Body.objects.exists()


def test_bytes_that_came_again_stay_as_long_as_the_last_arrival(arrive: Arrive) -> None:
    first, second = arrive("same", received_at=AT - days(100)), arrive("same", received_at=AT - days(10))
    retention.retain(now=AT)
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.state == State.EXPIRED
    assert bodies.body_of(second) == b"same"
    retention.retain(now=AT + days(90))
    assert not Body.objects.exists()


def test_many_bodies_go_in_lots(arrive: Arrive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BATCH", 2)
    for n in range(5):
        arrive(f"body {n}", received_at=AT - days(91))
    retention.retain(now=AT)
    assert not Body.objects.exists()
    assert Receipt.objects.filter(state=State.EXPIRED).count() == 5


def test_the_body_of_a_deleted_receipt_goes_too(arrive: Arrive) -> None:
    arrive("orphan").delete()
    retention.retain(now=AT)
    assert not Body.objects.exists()


def test_what_expired_unparsed_is_not_parsed(arrive: Arrive) -> None:
    receipt = arrive(received_at=AT - days(91))
    retention.retain(now=AT)
    parse(receipt.pk)
    sweep(now=AT)
    receipt.refresh_from_db()
    assert (receipt.state, receipt.attempts) == (State.EXPIRED, 0)


def test_the_nightly_task_goes_by_todays_date(arrive: Arrive) -> None:
    arrive(received_at=AT - days(3650))
    tasks.retain.run()
    assert not Body.objects.exists()
