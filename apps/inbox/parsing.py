"""Parsing receipts: each in a transaction of its own, and a parser that fails loses nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, transaction
from django.db.models import F

from apps.inbox import bodies, parsers
from apps.inbox.models import Receipt, State
from config.prepared import run, select
from config.text import storable

logger = logging.getLogger(__name__)

# After so many attempts of which none came to an end, it is the receipt that ends them.
MOST_ATTEMPTS = 5
# Younger ones have a hint under way.
SWEPT_AFTER = timedelta(minutes=1)
MOST_AT_ONCE = 1000
_ERROR_LENGTH = 500
_FREE = "WHERE id = %(id)s::bigint AND state = %(state)s::varchar FOR NO KEY UPDATE SKIP LOCKED"
_PARSED = """
UPDATE inbox_receipt SET state = %(state)s, error = %(error)s, parsed_at = statement_timestamp()
WHERE id = %(id)s::bigint
"""


def parse(receipt_id: int) -> None:
    """Parse a receipt that waits for it, unless another worker has it now or nobody knows its kind."""
    if _begin(receipt_id):
        _attempt(receipt_id, _from_body)


def parse_arrived(receipt: Receipt, parser: Callable[[Receipt], parsers.Result]) -> None:
    """Parse what was received a moment ago with `parse_soon=False`.

    `parser` does what that of its kind does, for who has looked into the body already.
    """
    _attempt(receipt.pk, parser)


def _from_body(receipt: Receipt) -> parsers.Result:
    return parsers.of(receipt.kind).parser(receipt, bodies.body_of(receipt))


def _attempt(receipt_id: int, parser: Callable[[Receipt], parsers.Result]) -> None:
    """Parse a receipt whose attempt is counted; however that ends, it ends here."""
    try:
        _parse(receipt_id, parser)
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
def _parse(receipt_id: int, parser: Callable[[Receipt], parsers.Result]) -> None:
    """What the parser writes and the state that says so are there together or not at all."""
    receipt = _waiting(receipt_id)
    if receipt is None:
        return
    result = parser(receipt)
    state = State.NEEDS_MAPPING if result.needs_mapping else State.PARSED
    error = storable(result.needs_mapping, _ERROR_LENGTH)
    run(_PARSED, {"id": receipt_id, "state": state.value, "error": error})


def _waiting(receipt_id: int) -> Receipt | None:
    """The receipt, locked to the end of the transaction; None if it does not wait or another has it."""
    for receipt in select(Receipt, _FREE, {"id": receipt_id, "state": State.RECEIVED.value}):
        if receipt.kind in parsers.kinds():
            return receipt
    return None


def _fail(receipt_id: int, error: str) -> None:
    waiting = Receipt.objects.filter(pk=receipt_id, state=State.RECEIVED)
    waiting.update(state=State.FAILED, error=storable(error, _ERROR_LENGTH))
