"""Events, and states that are events when they change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.devices.edge.happenings import DATA_SIZE, changes
from apps.devices.models import Device, Event
from apps.devices.mutations import create_device, update_device
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Source
from tests.devices.conftest import CONFIG, NOW_MS, Agent, batch, refusals

pytestmark = pytest.mark.usefixtures("egauge", "noon")

DAY = 86_400_000


def event(source: Any = "egauge", **changed: Any) -> dict[str, Any]:
    """An event; None leaves a key out."""
    made = {"source": source, "timestamp": NOW_MS, "type": "EV_START_CHARGING", "data": {"n": 1}, **changed}
    return {key: value for key, value in made.items() if value is not None}


class TestEvents:
    def test_an_event_is_stored_with_its_data(self, agent: Agent, egauge: Device, house_a: House) -> None:
        data = {"duration": 12_000, "energy": 2.5, "deep": [{"ok": True, "no": None}], "text": "é😀"}
        assert agent.upload(events=[event(data=data)]).json() == {"stored": 0, "events": 1, "refused": []}
        stored = Event.objects.get()
        assert (stored.house, stored.source, stored.timestamp) == (house_a, egauge.source, NOW_MS)
        assert (stored.type, stored.data) == ("EV_START_CHARGING", data)

    def test_an_event_without_source_is_the_agents_own(self, agent: Agent, house_a: House) -> None:
        agent.upload(events=[event(source=None), {**event(type="OTHER"), "source": None}])
        assert {(own.house, own.source) for own in Event.objects.all()} == {(house_a, None)}

    def test_data_may_be_left_out(self, agent: Agent) -> None:
        agent.upload(events=[event(data=None)])
        assert Event.objects.get().data == {}

    def test_repeats_are_one_event_even_without_a_source(self, agent: Agent) -> None:
        same = [event(), event(source=None), event(data={"b": 1, "a": 2}), event(data={"a": 2, "b": 1})]
        for _ in range(2):
            assert agent.upload(events=same).json()["events"] == 4
        assert Event.objects.count() == 3

    def test_events_that_differ_in_anything_are_kept_apart(self, agent: Agent) -> None:
        agent.upload(events=[event(), event(type="B"), event(timestamp=NOW_MS - 1), event(data={"n": 2})])
        assert Event.objects.count() == 4

    def test_events_need_no_readings_and_readings_no_events(self, agent: Agent) -> None:
        answer = agent.upload(batch(a=[1]), events=[event()])
        assert (answer.json()["stored"], answer.json()["events"]) == (1, 1)

    def test_no_two_uploads_of_the_same_events_wait_for_each_other(self, agent: Agent) -> None:
        shuffled = [event(timestamp=NOW_MS - n, type=kind) for n in (3, 1, 2) for kind in "BA"]
        agent.upload(events=shuffled)
        order = Event.objects.order_by("id").values_list("timestamp", "type")
        assert list(order) == sorted(order)


class TestRefusedEvents:
    @pytest.mark.parametrize("source", ["nobody", 5, True, [], {}, "", "a\0b"])
    def test_unknown_source(self, agent: Agent, source: Any) -> None:
        (refusal,) = agent.upload(events=[event(source=source)]).json()["refused"]
        assert (refusal["code"], refusal["count"]) == ("unknown_source", 1)

    def test_a_source_of_another_house_is_unknown(self, other_agent: Agent) -> None:
        assert refusals(other_agent.upload(events=[event()])) == {("egauge", None, "unknown_source", 1)}

    def test_disabled_source(self, agent: Agent, egauge: Device) -> None:
        update_device(device=egauge, enabled=False)
        assert refusals(agent.upload(events=[event()])) == {("egauge", None, "disabled_source", 1)}

    @pytest.mark.parametrize("stamp", [1.0, 1.5, True, "1780000000000", [], {}])
    def test_bad_timestamps(self, agent: Agent, stamp: Any) -> None:
        assert refusals(agent.upload(events=[event(timestamp=stamp)])) == {
            ("egauge", None, "bad_timestamps", 1)
        }

    def test_a_missing_timestamp_is_bad(self, agent: Agent) -> None:
        assert refusals(agent.upload(events=[event(timestamp=None)])) == {
            ("egauge", None, "bad_timestamps", 1)
        }

    @pytest.mark.parametrize(
        ("stamp", "code"),
        [
            (NOW_MS // 1000, "too_old"),
            (-1, "too_old"),
            (-(10**25), "too_old"),
            (NOW_MS + DAY + 1, "in_future"),
            (2**63, "in_future"),
            (10**25, "in_future"),
        ],
    )
    def test_stamps_out_of_range(self, agent: Agent, stamp: int, code: str) -> None:
        assert refusals(agent.upload(events=[event(timestamp=stamp)])) == {("egauge", None, code, 1)}
        assert refusals(agent.upload(events=[event(None, timestamp=stamp)])) == {(None, None, code, 1)}

    def test_sealed(self, agent: Agent, egauge: Device) -> None:
        Source.objects.filter(pk=egauge.pk).update(sealed_before=NOW_MS)
        answer = agent.upload(
            events=[event(timestamp=NOW_MS - 1), event(), event(None, timestamp=NOW_MS - 1)]
        )
        assert refusals(answer) == {("egauge", None, "sealed", 1)}
        assert answer.json()["events"] == 2

    @pytest.mark.parametrize("kind", [5, True, [], "", "x" * 65, "a\0b", "a\nb", "STATE"])
    def test_bad_name(self, agent: Agent, kind: Any) -> None:
        assert refusals(agent.upload(events=[event(type=kind)])) == {("egauge", None, "bad_name", 1)}

    @pytest.mark.parametrize(
        "data",
        [
            5,
            "text",
            [],
            True,
            {"a": "\0"},
            {"\0": 1},
            {"a": ["\ud800"]},
            {"a": 2**63},
            {"a": -(10**400)},
            {"big": "x" * DATA_SIZE},
        ],
    )
    def test_bad_value(self, agent: Agent, data: Any) -> None:
        answer = agent.upload(events=[event(data=data), event()])
        assert refusals(answer) == {("egauge", None, "bad_value", 1)}
        assert answer.json()["events"] == 1

    @pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5_000])
    def test_numbers_nobody_can_hold_are_bad_values(self, agent: Agent, number: str) -> None:
        body = json.dumps({"batches": [], "events": [event(data={"x": "HERE"})]}).replace('"HERE"', number)
        assert refusals(agent.send(body.encode())) == {("egauge", None, "bad_value", 1)}

    def test_data_nested_deeply_is_a_bad_value(self, agent: Agent) -> None:
        body = json.dumps({"batches": [], "events": [event(data={"x": "HERE"})]})
        for depth, code in ((30, set()), (60, {("egauge", None, "bad_value", 1)})):
            answer = agent.send(body.replace('"HERE"', "[" * depth + "]" * depth).encode())
            assert refusals(answer) == code

    @pytest.mark.parametrize("thing", [None, 5, "X", []])
    def test_an_event_that_is_no_object_is_malformed(self, agent: Agent, thing: Any) -> None:
        answer = agent.upload(events=[thing, event()])
        assert refusals(answer) == {(None, None, "malformed", 1)}
        assert answer.json()["events"] == 1

    @pytest.mark.parametrize("events", [5, "X", {}, True])
    def test_events_that_are_no_list_lose_no_readings(self, agent: Agent, events: Any) -> None:
        answer = agent.upload(batch(a=[1]), events=events)
        assert refusals(answer) == {(None, None, "malformed", 1)}
        assert answer.json()["stored"] == 1


def states(field: str = "mode") -> list[tuple[int, Any]]:
    """The stored states of a field."""
    found = Event.objects.filter(type="STATE", data__field=field).order_by("timestamp", "id")
    return [(stored.timestamp - NOW_MS, stored.data["value"]) for stored in found]


def report(agent: Agent, *stated: tuple[int, Any]) -> Any:
    """Upload states of the field `mode` with stamps relative to now."""
    return agent.upload(
        batch(at=[NOW_MS + stamp for stamp, _ in stated], states={"mode": [state for _, state in stated]})
    )


class TestStates:
    def test_only_changes_become_events(self, agent: Agent) -> None:
        answer = report(agent, (-5, "auto"), (-4, "auto"), (-3, None), (-2, "manual"), (-1, "auto"))
        assert answer.json() == {"stored": 0, "events": 0, "refused": []}
        assert states() == [(-5, "auto"), (-2, "manual"), (-1, "auto")]

    def test_what_was_so_before_is_no_change(self, agent: Agent) -> None:
        report(agent, (-5, "auto"))
        report(agent, (-4, "auto"))
        report(agent, (-3, "manual"))
        assert states() == [(-5, "auto"), (-3, "manual")]

    def test_repeating_an_upload_changes_nothing(self, agent: Agent) -> None:
        for _ in range(3):
            report(agent, (-5, "a"), (-4, "b"), (-3, "a"))
        assert states() == [(-5, "a"), (-4, "b"), (-3, "a")]

    def test_a_late_report_fills_in(self, agent: Agent) -> None:
        report(agent, (-1, "b"))
        report(agent, (-9, "a"), (-5, "b"))
        assert states() == [(-9, "a"), (-5, "b"), (-1, "b")]

    def test_a_state_between_two_stored_ones_is_compared_with_the_one_before_it(self, agent: Agent) -> None:
        report(agent, (-9, "a"), (-5, "b"))
        report(agent, (-7, "a"), (-3, "a"))
        assert states() == [(-9, "a"), (-5, "b"), (-3, "a")]

    def test_a_late_report_does_not_hide_that_the_newest_state_holds(self, agent: Agent) -> None:
        report(agent, (-9, "a"))
        report(agent, (-1, "a"))
        report(agent, (-5, "b"))
        assert states() == [(-9, "a"), (-5, "b"), (-1, "a")]

    def test_booleans_and_their_names_are_different_states(self, agent: Agent) -> None:
        report(agent, (-5, True), (-4, "true"), (-3, True), (-2, False))
        report(agent, (-1, False))
        assert states() == [(-5, True), (-4, "true"), (-3, True), (-2, False)]

    def test_batches_of_one_upload_are_one_history(self, agent: Agent) -> None:
        agent.upload(
            batch(at=[NOW_MS - 1], states={"mode": ["b"]}), batch(at=[NOW_MS - 2], states={"mode": ["b"]})
        )
        assert states() == [(-2, "b")]

    def test_of_two_reports_for_one_stamp_the_later_counts(self, agent: Agent, egauge: Device) -> None:
        report(agent, (-1, "a"), (-1, True), (-1, "b"))
        assert states() == [(-1, "b")]
        assert store.latest([egauge.pk])[egauge.pk]["mode"] == (NOW_MS - 1, "b")

    def test_fields_and_sources_do_not_mix(self, agent: Agent, house_a: House) -> None:
        create_device(house=house_a, name="other", type="egauge", config=CONFIG)
        report(agent, (-5, "a"))
        agent.upload(
            batch(at=[NOW_MS], states={"mood": ["a"]}), batch("other", at=[NOW_MS], states={"mode": ["a"]})
        )
        assert (len(states("mode")), len(states("mood"))) == (2, 1)

    def test_the_newest_state_is_among_the_latest_values(self, agent: Agent, egauge: Device) -> None:
        report(agent, (-2, "a"), (-1, "a"), (-3, "b"))
        agent.upload(batch(a=[1], states={"on": [True]}))
        assert store.latest([egauge.pk])[egauge.pk] == {
            "mode": (NOW_MS - 1, "a"),
            "a": (NOW_MS, 1.0),
            "on": (NOW_MS, True),
        }

    @pytest.mark.parametrize("value", [5, 1.5, [], {}, "a\0b", "x" * 1_001])
    def test_bad_value(self, agent: Agent, value: Any) -> None:
        assert refusals(report(agent, (-2, "a"), (-1, value))) == {("egauge", "mode", "bad_value", 2)}
        assert states() == []

    def test_bad_length(self, agent: Agent) -> None:
        answer = agent.upload(batch(at=[NOW_MS - 1, NOW_MS], a=[1, 2], states={"mode": ["a"]}))
        assert refusals(answer) == {("egauge", "mode", "bad_length", 1)}
        assert answer.json()["stored"] == 2

    @pytest.mark.parametrize("name", ["", "_quality", "_length", "_x", "x" * 201, "a\0"])
    def test_bad_name(self, agent: Agent, name: str) -> None:
        answer = agent.upload(batch(states={name: ["a"], "mode": ["b"]}))
        assert refusals(answer) == {("egauge", name[:200], "bad_name", 1)}
        assert states() == [(0, "b")]

    def test_states_count_among_what_is_refused_with_a_batch(self, agent: Agent) -> None:
        answer = agent.upload(batch("nobody", a=[1], states={"mode": ["a"], "none": [None]}))
        assert refusals(answer) == {("nobody", None, "unknown_source", 2)}

    def test_stamps_out_of_range(self, agent: Agent) -> None:
        answer = report(agent, (-NOW_MS, "a"), (2 * DAY, "b"), (0, "c"))
        assert refusals(answer) == {("egauge", None, "too_old", 1), ("egauge", None, "in_future", 1)}
        assert states() == [(0, "c")]

    @pytest.mark.django_db(transaction=True)
    def test_unchanged_states_cost_one_more_statement(self, agent: Agent) -> None:
        report(agent, (-9, "a"))
        report(agent, (-8, "a"))
        with CaptureQueriesContext(connection) as queries:
            report(agent, (-7, "a"))
        assert len(queries) == 3, [query["sql"] for query in queries.captured_queries]


def test_changes_compare_with_the_state_before_each_stamp() -> None:
    assert changes([], [(3, "b"), (1, "a"), (2, "a")]) == [(1, "a"), (3, "b")]
    assert changes([(1, "a"), (3, "b"), (9, "z")], [(2, "a"), (4, "b"), (5, "a")]) == [(5, "a")]
    assert changes([(2, "a")], [(2, "b"), (3, "b")]) == [(2, "b")]
    assert changes([(1, True)], []) == []
