"""Receipts, and what is sent to workers about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.inbox import arrivals
from apps.inbox.models import Receipt
from apps.inbox.parsing import parse
from config.celery import app
from tests.inbox import lines
from tests.jobs.conftest import queue, worker

__all__ = ["queue", "worker"]

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)

Arrive = Callable[..., Receipt]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The tasks that were hinted at, and of which receipt or job."""
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, **_: found.append((task, args[0])))
    return found


@pytest.fixture
def arrive(sent: list[tuple[str, int]]) -> Arrive:
    """Receive a text: `arrive("north", house=house_a, received_at=…)`."""

    def receive(text: str = "north", **changes: Any) -> Receipt:
        usual = {"kind": lines.KIND, "origin": "logger 7", "metadata": {}, "received_at": AT}
        return arrivals.receive(**{**usual, "body": text.encode(), **changes})

    return receive


@pytest.fixture
def parsed(arrive: Arrive) -> Arrive:
    """Receive and parse a text."""

    def receive_and_parse(text: str = "north", **changes: Any) -> Receipt:
        receipt = arrive(text, **changes)
        parse(receipt.pk)
        receipt.refresh_from_db()
        return receipt

    return receive_and_parse


@pytest.fixture(autouse=True)
def _nothing_mended() -> None:
    lines.mended.clear()
