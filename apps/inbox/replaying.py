"""Parsing receipts again, after a parser was mended or something was mapped."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Count

from apps.accounts.models import User
from apps.inbox.models import Receipt, ReceiptQuerySet, State
from apps.inbox.parsing import parse
from apps.jobs.models import Job
from apps.jobs.run import Running, start
from config.hints import send_soon

JOB = "inbox.replay"


class BodyExpired(ValueError):  # noqa: N818
    """There is nothing left to parse; the text says so to people."""


@transaction.atomic
def replay(*, receipt: Receipt, by: User | None) -> None:
    """Let `receipt` be parsed once more, soon. Raises BodyExpired."""
    if not reset(receipt.pk):
        raise BodyExpired(f"The body of {receipt} is no longer kept.")
    if by is not None:
        LogEntry.objects.log_actions(
            by.pk, Receipt.objects.filter(pk=receipt.pk), CHANGE, "Replayed.", single_object=True
        )
    send_soon("inbox.parse", receipt.pk)


def replay_selected(*, receipts: Collection[int], by: User) -> Job:
    """Parse these receipts again, those of them that `by` may see."""
    which = {"pk__in": list(receipts)}
    return start(kind=JOB, subject=f"{len(receipts)} selected", by=by, which=which, person=by.pk)


def replay_all(*, kind: str, state: str, by: User) -> Job:
    """Parse all receipts of a kind and state again, those of them that `by` may see."""
    subject = f"{kind}: {State(state).label.lower()}"
    return start(kind=JOB, subject=subject, by=by, which={"kind": kind, "state": state}, person=by.pk)


def replay_many(running: Running, *, which: dict[str, Any], person: int) -> None:
    """The job: parse what was asked for, oldest first. What has expired meanwhile is left out."""
    found = _kept(Receipt.objects.visible_to(User.objects.get(pk=person))).filter(**which)
    ids = list(found.order_by("pk").values_list("pk", flat=True))
    running.progress(0, len(ids))
    for done, receipt_id in enumerate(ids, start=1):
        if reset(receipt_id):
            parse(receipt_id)
        running.progress(done, len(ids))
    running.progress(len(ids), len(ids), _summary(ids))


def _kept(receipts: ReceiptQuerySet) -> ReceiptQuerySet:
    return receipts.filter(body__isnull=False)


def reset(receipt_id: int) -> bool:
    """Let the receipt wait for a parser again; False if its body is gone."""
    kept = _kept(Receipt.objects.filter(pk=receipt_id))
    return kept.update(state=State.RECEIVED, error="", attempts=0) == 1


def _summary(ids: list[int]) -> str:
    """How they are now: “12 parsed, 1 failed”."""
    counts = Receipt.objects.filter(pk__in=ids).order_by("state").values_list("state").annotate(Count("pk"))
    return ", ".join(f"{count} {State(state).label.lower()}" for state, count in counts)
