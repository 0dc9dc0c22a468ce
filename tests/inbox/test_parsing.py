"""Parsing: what was written and what the receipt says agree, and no failure loses a receipt."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.apps import apps
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.houses.models import House
from apps.inbox import parsers, parsing, tasks
from apps.inbox.models import Body, Receipt, State
from config.celery import app
from config.processes import wait_until
from tests.inbox import children, lines
from tests.inbox.conftest import AT, Arrive
from tests.jobs.conftest import Worker
from tests.readings.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def houses() -> set[str]:
    return set(House.objects.values_list("name", flat=True))


def state_of(receipt: Receipt) -> str:
    return Receipt.objects.get(pk=receipt.pk).state


def test_a_receipt_is_parsed(parsed: Arrive) -> None:
    receipt = parsed("north\nsouth")
    assert (receipt.state, receipt.error, receipt.attempts) == (State.PARSED, "", 1)
    assert receipt.parser_version == lines.VERSION
    assert receipt.parsed_at
    assert timezone.now() - receipt.parsed_at < timedelta(minutes=1)
    assert houses() == {"north", "south"}


def test_a_parsed_receipt_is_not_parsed_again(parsed: Arrive) -> None:
    receipt = parsed("north")
    House.objects.all().delete()
    tasks.parse.run(receipt.pk)
    assert houses() == set()
    assert Receipt.objects.get().attempts == 1


def test_a_receipt_delivered_to_several_workers_is_parsed_once(
    arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def note(receipt: Receipt, body: bytes) -> parsers.Result:
        calls.append(receipt.pk)
        return parsers.Result()

    monkeypatch.setitem(parsers._parsers, lines.KIND, parsers.Registered(note, 1))
    receipt = arrive()
    at_once(*[lambda: parsing.parse(receipt.pk)] * 5)
    assert calls == [receipt.pk]
    assert state_of(receipt) == State.PARSED


def test_what_needs_mapping_says_so_and_keeps_what_could_be_taken(parsed: Arrive) -> None:
    receipt = parsed("north\nmap\nsouth")
    assert (receipt.state, receipt.error) == (State.NEEDS_MAPPING, "Register 3 is not mapped.")
    assert receipt.parser_version == lines.VERSION
    assert houses() == {"north"}


def test_a_parser_that_fails_half_way_leaves_nothing_of_its_own_and_the_receipt(
    parsed: Arrive, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        receipt = parsed("north\nmend")
    assert (receipt.state, receipt.parser_version, receipt.parsed_at) == (State.FAILED, lines.VERSION, None)
    assert receipt.error == "An unexpected error stopped its parser (ValueError); the log says more."
    assert houses() == set()
    assert Body.objects.exists()
    assert lines.SECRET in caplog.text
    assert lines.SECRET not in receipt.error


@pytest.mark.parametrize("error", ["x" * 2000, "a\0b", "a\ud800b"])
def test_an_error_that_quotes_strange_bytes_is_kept_all_the_same(
    arrive: Arrive, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    def refuse(receipt: Receipt, body: bytes) -> parsers.Result:
        raise parsers.ParseError(error)

    def lack(receipt: Receipt, body: bytes) -> parsers.Result:
        return parsers.Result(needs_mapping=error)

    for parser, state in ((refuse, State.FAILED), (lack, State.NEEDS_MAPPING)):
        monkeypatch.setitem(parsers._parsers, lines.KIND, parsers.Registered(parser, 1))
        receipt = arrive()
        parsing.parse(receipt.pk)
        receipt.refresh_from_db()
        assert receipt.state == state
        assert receipt.error[0] == error[0]


def test_an_error_meant_for_people_reaches_them(parsed: Arrive, caplog: pytest.LogCaptureFixture) -> None:
    receipt = parsed("north\nrefuse")
    assert (receipt.state, receipt.error) == (State.FAILED, "Line 2 is no address.")
    assert houses() == set()
    assert caplog.text == ""


def test_a_damaged_body_is_said_to_be_so(arrive: Arrive) -> None:
    receipt = arrive("north")
    Body.objects.update(payload=b"other")
    parsing.parse(receipt.pk)
    receipt.refresh_from_db()
    assert (receipt.state, receipt.error) == (State.FAILED, "Its body is missing or damaged.")


def test_a_passing_trouble_of_the_database_is_no_failure(parsed: Arrive) -> None:
    receipt = parsed("north\nstumble")
    assert (receipt.state, receipt.attempts) == (State.RECEIVED, 1)
    assert houses() == set()
    lines.mended.add("stumble")
    parsing.sweep(now=AT + timedelta(hours=1))
    assert state_of(receipt) == State.PARSED


def test_a_receipt_whose_attempts_come_to_no_end_fails(parsed: Arrive) -> None:
    receipt = parsed("stumble")
    for _ in range(parsing.MOST_ATTEMPTS):
        parsing.parse(receipt.pk)
    receipt.refresh_from_db()
    assert (receipt.state, receipt.attempts) == (State.FAILED, parsing.MOST_ATTEMPTS)
    assert receipt.error == "5 attempts to parse it came to no end."


def test_the_end_of_the_tasks_time_ends_the_task_and_not_the_receipt(
    arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(receipt: Receipt, body: bytes) -> parsers.Result:
        House.objects.create(name="north")
        raise SoftTimeLimitExceeded

    receipt = arrive()
    monkeypatch.setitem(parsers._parsers, lines.KIND, parsers.Registered(slow, 1))
    with pytest.raises(SoftTimeLimitExceeded):
        parsing.parse(receipt.pk)
    assert state_of(receipt) == State.RECEIVED
    assert houses() == set()


def test_a_receipt_that_kills_its_workers_is_given_up_and_holds_nobody_up(arrive: Arrive) -> None:
    deadly = arrive("north\ndie")
    harmless = arrive("south", received_at=AT + timedelta(seconds=1))
    for attempts in (1, parsing.MOST_ATTEMPTS):
        Receipt.objects.filter(pk=deadly.pk).update(attempts=attempts - 1)
        assert children.run("parse", deadly.pk).wait(60) == -signal.SIGKILL
        deadly.refresh_from_db()
        assert (deadly.state, deadly.attempts) == (State.RECEIVED, attempts)
    parsing.sweep(now=AT + timedelta(hours=1))
    assert state_of(deadly) == State.FAILED
    assert state_of(harmless) == State.PARSED
    assert houses() == {"south"}


def test_what_nobody_can_parse_yet_waits_for_its_parser(
    arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = arrive(kind="test.new")
    parsing.parse(receipt.pk)
    parsing.sweep(now=AT + timedelta(hours=1))
    receipt.refresh_from_db()
    assert (receipt.state, receipt.attempts) == (State.RECEIVED, 0)
    monkeypatch.setitem(parsers._parsers, "test.new", parsers.of(lines.KIND))
    parsing.sweep(now=AT + timedelta(hours=1))
    assert state_of(receipt) == State.PARSED


def test_the_sweep_takes_the_oldest_first_and_leaves_those_just_hinted_at(
    arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "MOST_AT_ONCE", 2)
    receipts = [arrive(f"house{n}") for n in range(3)]
    fresh = arrive("fresh", received_at=AT + timedelta(minutes=59, seconds=30))
    parsing.sweep(now=AT + timedelta(hours=1))
    assert [state_of(one) for one in receipts] == [State.PARSED, State.PARSED, State.RECEIVED]
    parsing.sweep(now=AT + timedelta(hours=1))
    assert [state_of(one) for one in (receipts[2], fresh)] == [State.PARSED, State.RECEIVED]


def test_who_receives_may_parse_at_once_with_what_it_knows(arrive: Arrive) -> None:
    receipt = arrive("north", parse_soon=False)
    assert (receipt.attempts, receipt.parser_version) == (1, lines.VERSION)
    parsing.parse_arrived(receipt, lambda again: lines.parse(again, b"south"))
    receipt.refresh_from_db()
    assert (receipt.state, receipt.attempts, houses()) == (State.PARSED, 1, {"south"})
    parsing.parse_arrived(receipt, lambda again: lines.parse(again, b"east"))
    assert houses() == {"south"}


def test_what_it_makes_nothing_of_is_left_to_the_sweep(arrive: Arrive) -> None:
    receipt = arrive("stumble", parse_soon=False)
    parsing.parse_arrived(receipt, lambda again: lines.parse(again, b"stumble"))
    assert state_of(receipt) == State.RECEIVED
    lines.mended.add("stumble")
    parsing.sweep(now=AT + timedelta(hours=1))
    assert state_of(receipt) == State.PARSED


def test_a_kind_has_one_parser() -> None:
    with pytest.raises(ValueError, match=r"test\.lines"):
        parsers.register(lines.KIND, lines.parse, 4)


@pytest.mark.slow
def test_a_real_worker_parses_what_arrives(queue: str, worker: Callable[..., Worker]) -> None:
    worker(module="tests.inbox.worker")
    children.receive("1", "north")
    assert wait_until(lambda: Receipt.objects.filter(state=State.PARSED).exists(), seconds=40)
    assert houses() == {"north"}


@pytest.mark.django_db(transaction=False)
def test_the_sweep_runs_every_minute_and_the_broom_nightly() -> None:
    migration = import_module("apps.inbox.migrations.0003_schedules")
    sweep = PeriodicTask.objects.get(task="inbox.sweep")
    assert sweep.interval.schedule.run_every == timedelta(minutes=1)
    nightly = PeriodicTask.objects.get(task="inbox.retain")
    assert (nightly.crontab.hour, nightly.crontab.minute) == ("3", "37")
    assert {sweep.task, nightly.task, "inbox.parse"} <= set(app.tasks)
    migration.remove(apps, None)
    assert not PeriodicTask.objects.filter(task__startswith="inbox.").exists()


def test_the_minutely_task_sweeps_by_todays_clock(arrive: Arrive) -> None:
    receipt = arrive()
    tasks.sweep.run()
    assert state_of(receipt) == State.PARSED
