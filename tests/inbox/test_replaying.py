"""Parsing again: one, some, all of a kind; as often as one likes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry

from apps.accounts.models import User
from apps.houses.models import House, Membership
from apps.inbox import replaying
from apps.inbox.models import Receipt, State
from apps.inbox.parsing import parse
from apps.inbox.replaying import BodyExpired, replay, replay_all, replay_selected
from apps.jobs.models import Job
from apps.jobs.models import State as JobState
from apps.jobs.run import perform
from config.processes import wait_until
from tests.inbox import children, lines
from tests.inbox.conftest import Arrive
from tests.jobs.conftest import Worker, ended

pytestmark = pytest.mark.django_db(transaction=True)


def houses() -> set[str]:
    return set(House.objects.exclude(name__startswith="house-").values_list("name", flat=True))


def states() -> list[str]:
    return list(Receipt.objects.order_by("pk").values_list("state", flat=True))


def finished(job: Job) -> Job:
    perform(job.pk)
    job.refresh_from_db()
    return job


def test_a_replayed_receipt_is_parsed_with_the_mended_parser(
    parsed: Arrive, alice: User, sent: list[tuple[str, int]]
) -> None:
    receipt = parsed("north\nmend")
    sent.clear()
    lines.mended.add("mend")
    replay(receipt=receipt, by=alice)
    receipt.refresh_from_db()
    assert (receipt.state, receipt.error, receipt.attempts) == (State.RECEIVED, "", 0)
    assert wait_until(lambda: sent == [("inbox.parse", receipt.pk)], seconds=10)
    parse(receipt.pk)
    assert states() == [State.PARSED]
    assert houses() == {"north", "mend"}


def test_replaying_what_was_parsed_changes_nothing(parsed: Arrive, alice: User) -> None:
    receipt = parsed("north\nsouth")
    before = set(House.objects.values_list("pk", "name"))
    for _ in range(3):
        replay(receipt=receipt, by=alice)
        parse(receipt.pk)
    assert states() == [State.PARSED]
    assert set(House.objects.values_list("pk", "name")) == before


def test_who_replayed_is_on_record(parsed: Arrive, alice: User) -> None:
    receipt = parsed()
    replay(receipt=receipt, by=alice)
    entry = LogEntry.objects.get()
    assert (entry.user_id, entry.object_id, entry.change_message) == (alice.pk, str(receipt.pk), "Replayed.")
    replay(receipt=receipt, by=None)
    assert LogEntry.objects.count() == 1


def test_what_has_expired_cannot_be_replayed(parsed: Arrive, alice: User) -> None:
    receipt = parsed()
    Receipt.objects.update(state=State.EXPIRED, body=None)
    with pytest.raises(BodyExpired, match="no longer kept"):
        replay(receipt=receipt, by=alice)
    assert states() == [State.EXPIRED]
    assert not LogEntry.objects.exists()


def test_all_that_failed_of_a_kind_is_replayed_with_progress(
    parsed: Arrive, arrive: Arrive, admin: User
) -> None:
    parsed("north\nmend"), parsed("refuse"), parsed("map"), arrive(kind="test.other")
    lines.mended.update({"mend", "map"})
    job = finished(replay_all(kind=lines.KIND, state=State.FAILED, by=admin))
    assert (job.state, job.done, job.total) == (JobState.DONE, 2, 2)
    assert job.message == "1 failed, 1 parsed"
    assert str(job) == "Replay receipts: test.lines: failed"
    assert states() == [State.PARSED, State.FAILED, State.NEEDS_MAPPING, State.RECEIVED]
    finished(replay_all(kind=lines.KIND, state=State.NEEDS_MAPPING, by=admin))
    assert states() == [State.PARSED, State.FAILED, State.PARSED, State.RECEIVED]


def test_a_selection_is_replayed_and_what_has_expired_left_out(parsed: Arrive, admin: User) -> None:
    receipts = [parsed("mend") for _ in range(3)]
    Receipt.objects.filter(pk=receipts[1].pk).update(state=State.EXPIRED, body=None)
    lines.mended.add("mend")
    job = finished(replay_selected(receipts=[one.pk for one in receipts[:2]], by=admin))
    assert (job.total, job.message, job.subject) == (1, "1 parsed", "2 selected")
    assert states() == [State.PARSED, State.EXPIRED, State.FAILED]


def test_nobody_replays_what_they_cannot_see(
    parsed: Arrive, alice: User, house_a: House, house_b: House
) -> None:
    own, foreign, nobodys = (parsed("mend", house=house) for house in (house_a, house_b, None))
    lines.mended.add("mend")
    ids = [one.pk for one in (own, foreign, nobodys)]
    finished(replay_selected(receipts=ids, by=alice))
    assert states() == [State.PARSED, State.FAILED, State.FAILED]
    finished(replay_all(kind=lines.KIND, state=State.FAILED, by=alice))
    assert states() == [State.PARSED, State.FAILED, State.FAILED]


def test_who_lost_the_house_meanwhile_replays_nothing_of_it(
    parsed: Arrive, alice: User, house_a: House
) -> None:
    parsed("mend", house=house_a)
    lines.mended.add("mend")
    job = replay_all(kind=lines.KIND, state=State.FAILED, by=alice)
    Membership.objects.all().delete()
    assert finished(job).total == 0
    assert states() == [State.FAILED]


def test_a_replay_that_is_run_twice_does_what_one_does(parsed: Arrive, admin: User) -> None:
    parsed("north\nmend")
    lines.mended.add("mend")
    job = finished(replay_all(kind=lines.KIND, state=State.FAILED, by=admin))
    before = set(House.objects.values_list("pk", "name"))
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)  # as after a worker's death
    assert finished(job).state == JobState.DONE
    assert set(House.objects.values_list("pk", "name")) == before
    assert states() == [State.PARSED]


@pytest.mark.slow
def test_a_real_worker_replays(queue: str, worker: Callable[..., Worker], admin: User) -> None:
    children.receive("3", "north")
    Receipt.objects.update(state=State.FAILED)
    worker(module="tests.inbox.worker")
    job = replaying.replay_all(kind=lines.KIND, state=State.FAILED, by=admin)
    assert ended(job, JobState.DONE)
    assert states() == [State.PARSED] * 3
