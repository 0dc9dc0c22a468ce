"""What alerts say."""

from __future__ import annotations

import pytest

from apps.alerts.kinds import TITLES, Kind
from apps.alerts.words import ADVICE, describe, plainly
from apps.devices.edge.refusals import Code


@pytest.mark.parametrize(
    ("kind", "evidence", "text"),
    [
        (Kind.WARNING, {"text": "no answer"}, "Meter: no answer"),
        (Kind.WARNING, {"text": ""}, "Meter: a warning without a text"),
        (Kind.SILENT, {"since": 1}, "Meter sends nothing"),
        (Kind.SILENT, {"since": None}, "Meter has never sent anything"),
        (Kind.STUCK, {"field": "L1", "value": 230.5}, "Meter.L1 stands still at 230.5"),
        (Kind.OFFLINE, {"since": 1}, "The agent is not heard of"),
        (
            Kind.SPOOL,
            {"percent": 85, "bound": 1000},
            "The agent's spool is 85 % full; beyond 1,000 rows it loses the oldest",
        ),
        (Kind.CLOCK, {"offset_s": -40}, "The agent's clock is 40 s behind"),
        (Kind.CLOCK, {"offset_s": 40}, "The agent's clock is 40 s ahead"),
        (Kind.QUARANTINE, {"count": 1}, "Meter: 1 step of a counter waits for a decision"),
        (Kind.QUARANTINE, {"count": 2}, "Meter: 2 steps of counters wait for a decision"),
        (
            Kind.DAMAGED,
            {"count": 1, "error": "2026-03-14 (UTC): gone."},
            "Meter: 1 day cannot be worked on, as stored readings are damaged. 2026-03-14 (UTC): gone.",
        ),
    ],
)
def test_operators_are_told_what_is_wrong(kind: Kind, evidence: dict[str, object], text: str) -> None:
    assert describe(kind, "Meter", evidence) == text


@pytest.mark.parametrize("code", list(Code))
def test_refusals_tell_their_reason(code: Code) -> None:
    text = describe(Kind.REFUSED, "Meter", {"code": code.value, "count": 7, "name": "m"})
    assert text.startswith("7 readings or events of m refused so far. ")
    assert len(text) > 60


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_words_for_everybody_whatever_its_evidence(kind: Kind) -> None:
    assert describe(kind, "Meter", {})
    assert plainly(kind, "Meter")
    assert TITLES[kind]
    assert ADVICE[kind]
