import json
from typing import Any

import pytest

from collectors.agent.rows import States, as_number, event_row, upload
from collectors.agent.spool import Entry, Row
from collectors.drivers import DeviceError, Event, Reading


def entries(*rows: Row) -> list[Entry]:
    return [Entry(n, row) for n, row in enumerate(rows)]


def rows(*values: dict[str, Any], source: str = "a") -> list[Row]:
    states = States()
    return [states.row(source, Reading(n, reading)) for n, reading in enumerate(values)]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0), (2.5, 2.5), ("12", 12.0), (" -3.5 ", -3.5), ("1e3", 1000.0), (".5", 0.5), ("7.", 7.0),
        ("OnGrid", "OnGrid"), ("", ""), ("1_000", "1_000"), ("nan", "nan"), ("0x10", "0x10"), ("٣", "٣"),
        (True, True), (False, False), (None, None),
        (float("nan"), None), (float("inf"), None), (10**400, None), ("1e999", None),
    ],
)  # fmt: skip
def test_what_a_value_is(value: Any, number: Any) -> None:
    found = as_number("x", value)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize("value", [{}, [], b"x", object()])
def test_what_is_no_value_is_an_error_that_names_the_field(value: Any) -> None:
    with pytest.raises(DeviceError, match="Pac"):
        as_number("Pac", value)


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
