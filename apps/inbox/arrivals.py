"""Taking in what arrives: it is kept first, and understood later."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.houses.models import House
from apps.inbox import bodies, parsers
from apps.inbox.models import Receipt
from config.hints import send_soon
from config.prepared import insert
from config.text import storable

MOST_BYTES = 32 * 1024 * 1024
MASK = "•••"
_SECRET = re.compile(r"passw|secret|token|authori[sz]ation|cookie|api.?key|credential", re.IGNORECASE)


class BodyTooLarge(ValueError):  # noqa: N818
    """The body is larger than the inbox accepts; the text gives both sizes."""


def receive(
    *,
    kind: str,
    origin: str,
    house: House | None = None,
    metadata: Mapping[str, Any],
    body: bytes,
    received_at: datetime,
    parse_soon: bool = True,
    beside: Callable[[Receipt], object] | None = None,
) -> Receipt:
    """Keep `body` and the fact that it arrived; a worker parses it soon.

    When this returns all is committed, so call it outside transactions, and answer the sender after it.
    `metadata` is JSON; values whose names sound like secrets are masked. Who parses it at once, by
    `parsing.parse_arrived`, says so by `parse_soon`: that is the first attempt, and the sweep comes by either
    way. `beside` is called within the same transaction. Raises BodyTooLarge.
    """
    if len(body) > MOST_BYTES:
        raise BodyTooLarge(f"The body has {len(body):,} bytes; at most {MOST_BYTES:,} are accepted.")
    with transaction.atomic(durable=True):
        receipt = insert(
            Receipt(
                kind=kind,
                origin=storable(origin, 200),
                house=house,
                metadata=_harmless(metadata),
                body_id=bodies.store.put(body),
                received_at=received_at,
                attempts=0 if parse_soon else 1,
                parser_version=None if parse_soon else parsers.of(kind).version,
            )
        )
        if beside is not None:
            beside(receipt)
        if parse_soon:
            send_soon("inbox.parse", receipt.pk)
    return receipt


def _harmless(value: Any) -> Any:
    """The value without secrets, and without characters that PostgreSQL refuses: arrivals are not lost."""
    match value:
        case str():
            return storable(value)
        case Mapping():
            return {
                storable(str(name)): MASK if _SECRET.search(str(name)) else _harmless(inner)
                for name, inner in value.items()
            }
        case list() | tuple():
            return [_harmless(inner) for inner in value]
    return value
