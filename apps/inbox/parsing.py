"""Parsing receipts: each in a transaction of its own, and a parser that fails loses nothing."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.inbox import bodies, parsers
from apps.inbox.models import Receipt, State
from config.text import storable

logger = logging.getLogger(__name__)

# After so many attempts of which none came to an end, it is the receipt that ends them.
MOST_ATTEMPTS = 5
# Younger ones have a hint under way.
SWEPT_AFTER = timedelta(minutes=1)
MOST_AT_ONCE = 1000
_ERROR_LENGTH = 500


def parse(receipt_id: int) -> None:
    """Parse a receipt that waits for it, unless another worker has it now or nobody knows its kind."""
    if not _begin(receipt_id):
        return
    try:
        _parse(receipt_id)
    except OperationalError as error:  # a deadlock, a server that stops: no fault of its
        logger.warning("Receipt %s waits for another attempt: %s", receipt_id, error)
    except parsers.ParseError as error:
        _fail(receipt_id, str(error))
    except (bodies.BodyMissing, bodies.BodyDamaged):
        _fail(receipt_id, "Its body is missing or damaged.")
    except SoftTimeLimitExceeded:  # of the task around us, which may have begun with others
        raise
    except Exception as error:
        # Its text may hold anything; people who mend parsers look into the log.
        logger.exception("Receipt %s could not be parsed", receipt_id)
        _fail(
            receipt_id, f"An unexpected error stopped its parser ({type(error).__name__}); the log says more."
        )


def sweep(*, now: datetime) -> None:
    """Parse the oldest receipts that still wait, because a hint, a worker or a parser was missing."""
    waiting = Receipt.objects.filter(
        state=State.RECEIVED, kind__in=parsers.kinds(), received_at__lt=now - SWEPT_AFTER
    )
    for receipt_id in list(waiting.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE]):
        parse(receipt_id)


@transaction.atomic
def _begin(receipt_id: int) -> bool:
    """Count the attempt, which must outlive a worker that dies over it; False when there is nothing to do."""
    receipt = _waiting(receipt_id)
    if receipt is None:
        return False
    if receipt.attempts >= MOST_ATTEMPTS:
        _fail(receipt_id, f"{MOST_ATTEMPTS} attempts to parse it came to no end.")
        return False
    receipt.attempts = F("attempts") + 1
    receipt.parser_version = parsers.of(receipt.kind).version
    receipt.save(update_fields=["attempts", "parser_version"])
    return True


@transaction.atomic
def _parse(receipt_id: int) -> None:
    """What the parser writes and the state that says so are there together or not at all."""
    receipt = _waiting(receipt_id)
    if receipt is None:
        return
    result = parsers.of(receipt.kind).parser(receipt, bodies.body_of(receipt))
    Receipt.objects.filter(pk=receipt_id).update(
        state=State.NEEDS_MAPPING if result.needs_mapping else State.PARSED,
        error=storable(result.needs_mapping, _ERROR_LENGTH),
        parsed_at=Now(),
    )


def _waiting(receipt_id: int) -> Receipt | None:
    """The receipt, locked to the end of the transaction; None if it does not wait or another has it."""
    free = Receipt.objects.select_for_update(skip_locked=True, no_key=True)
    return free.filter(pk=receipt_id, state=State.RECEIVED, kind__in=parsers.kinds()).first()


def _fail(receipt_id: int, error: str) -> None:
    waiting = Receipt.objects.filter(pk=receipt_id, state=State.RECEIVED)
    waiting.update(state=State.FAILED, error=storable(error, _ERROR_LENGTH))
