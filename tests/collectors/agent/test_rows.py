import json
from typing import Any

from collectors.agent.rows import event_row, reading_row, refused_parts, upload
from collectors.agent.spool import Entry, Row
from collectors.agent.states import States
from collectors.drivers import Event, Reading


def entries(*rows: Row) -> list[Entry]:
    return [Entry(n, row) for n, row in enumerate(rows)]


def rows(*values: dict[str, Any], source: str = "a") -> list[Row]:
    states = States()
    return [reading_row(source, Reading(n, reading), states) for n, reading in enumerate(values)]


def test_a_state_is_sent_when_it_changes() -> None:
    found = rows({"m": "on"}, {"m": "on"}, {"m": "off"}, {"m": None}, {"m": "off"}, {"m": True}, {"m": True})
    states = [json.loads(row.body).get("states") for row in found]
    assert states == [{"m": "on"}, None, {"m": "off"}, None, None, {"m": True}, None]


def test_the_same_fields_of_a_source_become_columns() -> None:
    batches = upload(entries(*rows({"x": 1, "y": None}, {"y": "2", "x": 3})))["batches"]
    assert batches == [{"source": "a", "timestamps": [0, 1], "fields": {"x": [1.0, 3.0], "y": [None, 2.0]}}]


def test_states_stand_beside_the_fields_with_nulls_where_unchanged() -> None:
    (batch,) = upload(entries(*rows({"x": 1, "m": "on"}, {"x": 2, "m": "on"}, {"x": 3, "m": "off"})))[
        "batches"
    ]
    assert batch["states"] == {"m": ["on", None, "off"]}


def test_other_fields_and_other_sources_are_other_batches() -> None:
    found = upload(entries(*rows({"x": 1}, {"y": 1}, {"x": 2}), *rows({"x": 5}, source="b")))["batches"]
    assert [(b["source"], b["timestamps"], list(b["fields"])) for b in found] == [
        ("a", [0, 2], ["x"]),
        ("a", [1], ["y"]),
        ("b", [0], ["x"]),
    ]


def test_events_travel_with_the_readings() -> None:
    event = event_row("a", Event(9, "EV_START_CHARGING", {}))
    assert upload(entries(event)) == {
        "batches": [],
        "events": [{"source": "a", "timestamp": 9, "type": "EV_START_CHARGING", "data": {}}],
    }


def test_an_event_of_the_agent_itself_names_no_source() -> None:
    (event,) = upload(entries(event_row("", Event(9, "WARNING", {"data": "hot"}))))["events"]
    assert event == {"timestamp": 9, "type": "WARNING", "data": {"data": "hot"}}


def test_what_was_refused_is_kept_once_for_each_source_however_many_refusals() -> None:
    own = event_row("", Event(9, "WARNING", {"data": "hot"}))
    sent = upload(entries(*rows({"x": 1, "y": 2}), *rows({"x": 5}, source="b"), own))
    refused: list[dict[str, Any]] = [
        {"source": "a", "field": "x", "code": "bad_name"},
        {"source": "a", "field": "y", "code": "bad_name"},
        {"source": "a", "code": "sealed"},
        {"source": None, "code": "disabled_source"},
    ]
    found = [(reasons, json.loads(letter)) for reasons, letter in refused_parts(sent, refused)]
    assert [reasons for reasons, _ in found] == ["bad_name sealed", "disabled_source"]
    assert found[0][1] == {"refused": refused[:3], "batches": sent["batches"][:1], "events": []}
    assert found[1][1] == {"refused": refused[3:], "batches": [], "events": sent["events"]}
