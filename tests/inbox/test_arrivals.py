"""Taking in: what is answered is kept, once, whatever comes with it."""

from __future__ import annotations

import signal
from datetime import timedelta
from threading import Thread

import pytest
from django.db import transaction
from django.utils import timezone

from apps.houses.models import House
from apps.inbox import arrivals, bodies, retention
from apps.inbox.arrivals import BodyTooLarge
from apps.inbox.models import Body, Receipt, State
from apps.inbox.parsing import sweep
from config.processes import wait_until
from tests.inbox import children, lines
from tests.inbox.conftest import AT, Arrive
from tests.readings.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_arrival_is_kept_as_it_came(arrive: Arrive, house_a: House) -> None:
    receipt = arrive("north\nsouth", house=house_a, metadata={"filename": "mb-001.log"})
    receipt.refresh_from_db()
    assert bodies.body_of(receipt) == b"north\nsouth"
    assert (receipt.kind, receipt.origin, receipt.house) == ("test.lines", "logger 7", house_a)
    assert (receipt.state, receipt.attempts, receipt.error) == (State.RECEIVED, 0, "")
    assert receipt.received_at == AT
    assert receipt.metadata == {"filename": "mb-001.log"}


def test_a_worker_is_told_after_the_commit(arrive: Arrive, sent: list[tuple[str, int]]) -> None:
    receipt = arrive()
    assert wait_until(lambda: sent == [("inbox.parse", receipt.pk)], seconds=10)


def test_the_same_bytes_twice_are_one_body_and_two_receipts(arrive: Arrive) -> None:
    first, second = arrive("same"), arrive("same")
    assert first.pk != second.pk
    assert first.body_id == second.body_id
    assert Body.objects.count() == 1


def test_receiving_within_a_transaction_is_refused_as_the_answer_would_be_a_lie(arrive: Arrive) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        arrive()
    assert not Receipt.objects.exists()


def test_a_body_beyond_the_bound_is_refused_in_words(arrive: Arrive, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = b"x" * (arrivals.MOST_BYTES + 1)
    with pytest.raises(BodyTooLarge, match=r"has 33,554,433 bytes; at most 33,554,432 are accepted"):
        arrive(body=huge)
    assert not Receipt.objects.exists()
    assert not Body.objects.exists()
    assert bodies.body_of(arrive(body=huge[1:])) == huge[1:]


def test_secrets_that_come_along_are_not_kept(arrive: Arrive) -> None:
    metadata = {
        "PASSWORD": "hunter2",
        "headers": {"Authorization": "Bearer abc", "X-Api-Key": "abc", "Cookie": "s=1", "Accept": "*/*"},
        "forms": [{"refresh_token": "abc", "SERIALNUMBER": "7"}],
    }
    kept = Receipt.objects.get(pk=arrive(metadata=metadata).pk).metadata
    assert kept == {
        "PASSWORD": "•••",
        "headers": {"Authorization": "•••", "X-Api-Key": "•••", "Cookie": "•••", "Accept": "*/*"},
        "forms": [{"refresh_token": "•••", "SERIALNUMBER": "7"}],
    }


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "x" * 500, ""])
def test_strange_text_in_what_comes_along_loses_no_arrival(arrive: Arrive, text: str) -> None:
    receipt = arrive(origin=text, metadata={text: text, "list": [text, 1, None, True, 1.5]})
    receipt.refresh_from_db()
    assert "\0" not in receipt.origin
    assert len(receipt.origin) <= 200
    assert receipt.metadata["list"][1:] == [1, None, True, 1.5]


def test_two_processes_that_receive_the_same_at_once_keep_one_body() -> None:
    processes = [children.run("receive", 20, "same") for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert Receipt.objects.count() == 40
    assert Receipt.objects.values("origin").distinct().count() == 2
    assert Body.objects.count() == 1


def test_a_sender_that_comes_back_while_its_old_body_goes_is_not_lost(arrive: Arrive) -> None:
    for _ in range(25):
        arrive("same", received_at=AT - timedelta(days=400))
        at_once(lambda: arrive("same"), lambda: retention.retain(now=AT))
        newest = Receipt.objects.latest("pk")
        assert bodies.body_of(newest) == b"same"
    assert Receipt.objects.filter(state=State.EXPIRED).count() == 25


def test_a_body_that_is_arriving_is_not_dropped(arrive: Arrive) -> None:
    arrive("same", received_at=AT - timedelta(days=400))
    with transaction.atomic():
        kept = bodies.store.put(b"same")
        at_once(lambda: retention.retain(now=AT))
        assert Receipt.objects.get().body is None
        Receipt.objects.create(kind=lines.KIND, origin="again", body_id=kept, received_at=AT)
    assert bodies.body_of(Receipt.objects.get(origin="again")) == b"same"


def test_a_body_that_is_being_dropped_is_kept_anew(arrive: Arrive) -> None:
    arrive("same", received_at=AT - timedelta(days=400))
    Receipt.objects.update(body=None)
    again = Thread(target=lambda: at_once(lambda: arrive("same", origin="again")))
    with transaction.atomic():
        retention.retain(now=AT)
        assert not Body.objects.exists()
        again.start()
    again.join(20)
    assert bodies.body_of(Receipt.objects.get(origin="again")) == b"same"


def test_a_kill_after_the_commit_loses_neither_arrival_nor_parsing() -> None:
    assert children.run("receive_and_die", "after", "north").wait(60) == -signal.SIGKILL
    assert Receipt.objects.get().state == State.RECEIVED
    sweep(now=timezone.now() + timedelta(minutes=2))
    assert Receipt.objects.get().state == State.PARSED
    assert House.objects.get().name == "north"


def test_a_kill_before_the_commit_leaves_nothing_behind() -> None:
    assert children.run("receive_and_die", "before", "north").wait(60) == -signal.SIGKILL
    assert not Receipt.objects.exists()
    assert not Body.objects.exists()
