import json
from typing import Any

import pytest

from collectors.agent.refusals import MOST_KNOWN, QUIET_S, Refusals
from collectors.agent.spool import Row
from collectors.agent.warnings import REPEATED_MS

NOW = 1_790_000_000_000


def refusal(**changes: Any) -> dict[str, Any]:
    return {
        "source": "meter",
        "field": "A",
        "code": "bad_value",
        "message": "Not a number.",
        "count": 1,
        **changes,
    }


def told(rows: list[Row]) -> list[dict[str, Any]]:
    assert {row.source for row in rows} <= {""}
    return [json.loads(row.body)["data"] for row in rows]


def test_each_source_field_and_code_is_told_once_as_the_agents_own() -> None:
    refusals = Refusals(None)
    rows = refusals.news([refusal(), refusal(count=7), refusal(field="B"), refusal(code="sealed")], NOW)
    assert len(rows) == 3
    assert told(rows)[0] == {"data": "The server refuses meter.A (bad_value): Not a number."}
    assert refusals.news([refusal(), refusal(field="B")], NOW) == []


def test_a_whole_source_is_told_without_a_field() -> None:
    whole = {"source": "old", "code": "disabled_source", "message": "Switched off.", "count": 3}
    assert told(Refusals(None).news([whole], NOW)) == [
        {"data": "The server refuses old (disabled_source): Switched off."}
    ]


def test_what_names_no_source_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert Refusals(None).news([refusal(source=None, field="")], NOW) == []
    assert "bad_value" in caplog.text


def test_what_was_not_refused_for_an_hour_is_over() -> None:
    seconds = 0.0
    refusals = Refusals(None, monotonic=lambda: seconds)
    refusals.news([refusal(), refusal(field="B")], NOW)
    seconds = QUIET_S
    assert refusals.news([refusal()], NOW) == []
    seconds += 1
    assert told(refusals.news([], NOW)) == [
        {"data": "The server refuses meter.B (bad_value): Not a number.", "cleared": True}
    ]
    assert told(refusals.news([refusal(field="B")], NOW)) == [
        {"data": "The server refuses meter.B (bad_value): Not a number."}
    ]


def test_a_restart_remembers_and_what_lasts_is_repeated() -> None:
    before = Refusals(None)
    before.news([refusal()], NOW)
    after = Refusals(before.kept())
    assert after.news([refusal()], NOW + 1) == []
    assert len(after.news([refusal()], NOW + REPEATED_MS)) == 1


def test_a_spoilt_memory_is_none() -> None:
    assert len(Refusals(b"{}").news([refusal()], NOW)) == 1


def test_they_are_bounded() -> None:
    many = [refusal(field=str(n)) for n in range(MOST_KNOWN + 10)]
    assert len(Refusals(None).news(many, NOW)) == MOST_KNOWN
