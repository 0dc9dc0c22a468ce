"""Readings: what is accepted is stored, whatever stands beside it; what is refused is told."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.devices.edge.refusals import MESSAGES, MOST_ENTRIES, Code
from apps.devices.models import Device
from apps.devices.mutations import create_device, update_device
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Namespace, Series, Source, Tail
from tests.devices.conftest import CONFIG, NOW, NOW_MS, Agent, Reader, batch, refusals

pytestmark = pytest.mark.usefixtures("egauge", "noon")

HOUR = 3_600_000
DAY = 24 * HOUR


def test_readings_are_stored_and_counted_without_nulls(agent: Agent, readings: Reader) -> None:
    answer = agent.upload(batch(at=[NOW_MS - 2, NOW_MS - 1, NOW_MS], a=[1, None, 2.5], b=[None, None, -0.0]))
    assert answer.json() == {"stored": 3, "events": 0, "refused": []}
    assert readings("a") == {NOW_MS - 2: 1.0, NOW_MS: 2.5}
    assert readings("b") == {NOW_MS: 0.0}


def test_repeating_an_upload_is_harmless(agent: Agent, readings: Reader) -> None:
    for _ in range(3):
        assert agent.upload(batch(a=[7])).json()["stored"] == 1
    assert readings("a") == {NOW_MS: 7.0}


def test_stamps_may_come_in_any_order_and_the_last_of_equal_ones_counts(
    agent: Agent, readings: Reader
) -> None:
    agent.upload(batch(at=[NOW_MS, NOW_MS - 5, NOW_MS, NOW_MS - DAY], a=[1, 2, 3, 4]))
    assert readings("a") == {NOW_MS - DAY: 4.0, NOW_MS - 5: 2.0, NOW_MS: 3.0}


def test_batches_of_one_source_add_up_and_the_later_wins(agent: Agent, readings: Reader) -> None:
    agent.upload(batch(a=[1], b=[1]), batch(at=[NOW_MS - 1, NOW_MS], a=[2, 3]))
    assert readings("a") == {NOW_MS - 1: 2.0, NOW_MS: 3.0}
    assert readings("b") == {NOW_MS: 1.0}


def test_several_sources_go_in_one_upload(agent: Agent, house_a: House, readings: Reader) -> None:
    create_device(house=house_a, name="attic", type="egauge", config=CONFIG)
    agent.upload(batch("attic", a=[1]), batch("egauge", a=[2]))
    assert (readings("a", source="attic"), readings("a")) == ({NOW_MS: 1.0}, {NOW_MS: 2.0})


def test_empty_batches_are_fine(agent: Agent) -> None:
    empty: dict[str, Any] = {"a": []}
    answer = agent.upload(batch(at=[], **empty), batch(), batch(at=[], states={"m": []}))
    assert answer.json() == {"stored": 0, "events": 0, "refused": []}


def test_a_column_of_nulls_creates_no_series(agent: Agent) -> None:
    agent.upload(batch(nothing=[None]))
    assert not Series.objects.filter(field="nothing").exists()


def test_an_undeclared_field_becomes_a_gauge_of_unknown_unit(agent: Agent) -> None:
    agent.upload(batch(surprise=[1]))
    series = Series.objects.get(field="surprise")
    assert (series.kind, series.unit) == ("gauge", "")


def test_reserved_fields_travel_as_fields(agent: Agent, readings: Reader) -> None:
    answer = agent.upload(batch(a=[1], _quality=[2], _length=[10_000]))
    assert answer.json() == {"stored": 3, "events": 0, "refused": []}
    assert readings("_length") == {NOW_MS: 10_000.0}


def test_names_may_hold_blanks_signs_and_any_letters(agent: Agent, readings: Reader) -> None:
    for name in ("A.Grid Power", "Énergie °C", "a" * 200, '"quoted"', "a/b+c", "電力", "🔋"):
        agent.upload(batch(**{name: [1]}))
        assert readings(name) == {NOW_MS: 1.0}, name


class TestWholeBatches:
    def test_unknown_source(self, agent: Agent) -> None:
        answer = agent.upload(batch("nobody", at=[NOW_MS, NOW_MS - 1], a=[1, None], b=[2, 3]))
        assert refusals(answer) == {("nobody", None, "unknown_source", 3)}

    @pytest.mark.parametrize("source", [None, 5, True, [], {}, "", "EGAUGE", "egauge ", "a\0b", "x" * 10_000])
    def test_no_such_name_is_an_unknown_source(self, agent: Agent, source: Any) -> None:
        answer = agent.upload({"source": source, "timestamps": [NOW_MS], "fields": {"a": [1]}})
        (refusal,) = answer.json()["refused"]
        assert (refusal["code"], refusal["count"]) == ("unknown_source", 1)

    def test_a_missing_source_is_unknown(self, agent: Agent) -> None:
        answer = agent.upload({"timestamps": [NOW_MS], "fields": {"a": [1]}})
        assert refusals(answer) == {(None, None, "unknown_source", 1)}

    def test_sources_that_are_no_devices_are_unknown(self, agent: Agent, house_a: House) -> None:
        Source.objects.create(house=house_a, namespace=Namespace.METER, name="main")
        assert refusals(agent.upload(batch("main", a=[1]))) == {("main", None, "unknown_source", 1)}

    def test_disabled_source(self, agent: Agent, egauge: Device, readings: Reader) -> None:
        update_device(device=egauge, enabled=False)
        assert refusals(agent.upload(batch(a=[1]))) == {("egauge", None, "disabled_source", 1)}
        assert readings("a") == {}

    def test_everything_of_a_disabled_house_is_refused_at_once(self, agent: Agent, house_a: House) -> None:
        assert agent.upload(batch(a=[1])).json()["stored"] == 1
        House.objects.filter(pk=house_a.pk).update(enabled=False)
        answer = agent.upload(
            batch(a=[1]), batch("nobody", a=[1]), events=[{"timestamp": NOW_MS, "type": "X"}]
        )
        assert refusals(answer) == {
            ("egauge", None, "disabled_source", 1),
            ("nobody", None, "disabled_source", 1),
            (None, None, "disabled_source", 1),
        }

    @pytest.mark.parametrize(
        "stamps",
        [
            None,
            5,
            "now",
            {},
            [1.5],
            [1_780_000_000_000.0],
            [True],
            ["2026-06-01"],
            [None],
            [NOW_MS, None],
            [[]],
        ],
    )
    def test_bad_timestamps(self, agent: Agent, stamps: Any) -> None:
        answer = agent.upload({"source": "egauge", "timestamps": stamps, "fields": {"a": [1, 2]}})
        assert refusals(answer) == {("egauge", None, "bad_timestamps", 2)}

    def test_missing_timestamps_are_bad(self, agent: Agent) -> None:
        answer = agent.upload({"source": "egauge", "fields": {"a": [1]}})
        assert refusals(answer) == {("egauge", None, "bad_timestamps", 1)}

    def test_too_many_fields(self, agent: Agent, readings: Reader) -> None:
        most = {f"f{n}": [1] for n in range(500)}
        answer = agent.upload(batch(**most, one_more=[1]))
        assert refusals(answer) == {("egauge", None, "too_many_fields", 501)}
        assert agent.upload(batch(**most)).json()["stored"] == 500
        assert readings("f499") == {NOW_MS: 1.0}

    @pytest.mark.parametrize("thing", [None, 5, "egauge", True, [], [1]])
    def test_a_batch_that_is_no_object_is_malformed(self, agent: Agent, thing: Any) -> None:
        assert refusals(agent.upload(thing)) == {(None, None, "malformed", 1)}

    @pytest.mark.parametrize("columns", [None, 5, "a", [], [["a", 1]]])
    def test_columns_that_are_no_object_lose_nothing_else(
        self, agent: Agent, columns: Any, readings: Reader
    ) -> None:
        assert refusals(agent.upload(batch(a=[1]) | {"states": columns})) == {
            ("egauge", None, "malformed", 1)
        }
        assert readings("a") == {NOW_MS: 1.0}


class TestFields:
    @pytest.mark.parametrize("values", [[], [1], [1, 2, 3], [None]])
    def test_bad_length(self, agent: Agent, readings: Reader, values: list[float | None]) -> None:
        answer = agent.upload(batch(at=[NOW_MS - 1, NOW_MS], a=values, good=[1, 2]))
        count = sum(value is not None for value in values)
        assert refusals(answer) == {("egauge", "a", "bad_length", count)}
        assert readings("good") == {NOW_MS - 1: 1.0, NOW_MS: 2.0}

    @pytest.mark.parametrize("value", ["1", True, False, [], {}, [1]])
    def test_bad_value(self, agent: Agent, readings: Reader, value: Any) -> None:
        answer = agent.upload(batch(at=[NOW_MS - 1, NOW_MS], a=[1, value], good=[1, 2]))
        assert refusals(answer) == {("egauge", "a", "bad_value", 2)}
        assert readings("good") == {NOW_MS - 1: 1.0, NOW_MS: 2.0}
        assert readings("a") == {}

    @pytest.mark.parametrize("column", [None, 5, "abc", True, {}])
    def test_a_column_that_is_no_list_is_a_bad_value(self, agent: Agent, column: Any) -> None:
        assert refusals(agent.upload(batch(a=column))) == {("egauge", "a", "bad_value", 1)}

    @pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400, "9" * 5_000])
    def test_a_number_beyond_a_double_is_a_bad_value(
        self, agent: Agent, readings: Reader, number: str
    ) -> None:
        body = (
            f'{{"batches": [{{"source": "egauge", "timestamps": [{NOW_MS}],'
            f' "fields": {{"a": [{number}], "good": [1]}}}}]}}'
        )
        assert ("egauge", "a", "bad_value", 1) in refusals(agent.send(body.encode()))
        assert readings("good") == {NOW_MS: 1.0}

    def test_the_largest_and_smallest_numbers_are_kept(self, agent: Agent, readings: Reader) -> None:
        extremes = [1.7976931348623157e308, 5e-324, 2**64, -(2**53)]
        agent.upload(batch(at=range(NOW_MS, NOW_MS + 4), a=extremes))
        assert list(readings("a").values()) == [float(number) for number in extremes]

    @pytest.mark.parametrize(
        "name", ["", "_a", "_", "__length", "_Quality", "a" * 201, "a\nb", "a\tb", "a\0b", "\u200b", "\x7f"]
    )
    def test_bad_name(self, agent: Agent, readings: Reader, name: str) -> None:
        answer = agent.upload(batch(**{name: [1], "good": [1]}))
        assert refusals(answer) == {("egauge", name[:200], "bad_name", 1)}
        assert readings("good") == {NOW_MS: 1.0}

    def test_half_a_surrogate_pair_costs_only_its_own_place(self, agent: Agent, readings: Reader) -> None:
        body = (
            f'{{"batches": [{{"source": "egauge", "timestamps": [{NOW_MS}], "fields":'
            r' {"a\ud800": [1], "\\ud800": [2], "\ud83d\ude00": [3]}, "states": {"m": ["x\udfff"]}},'
            f' {{"source": "egauge\\ud800", "timestamps": [{NOW_MS}], "fields": {{"a": [1]}}}}]}}'
        )
        assert refusals(agent.send(body.encode())) == {
            ("egauge", "a\0", "bad_name", 1),
            ("egauge", "m", "bad_value", 1),
            ("egauge\0", None, "unknown_source", 1),
        }
        assert readings(r"\ud800") == {NOW_MS: 2.0}
        assert readings("😀") == {NOW_MS: 3.0}

    def test_of_a_name_given_twice_the_last_counts(self, agent: Agent, readings: Reader) -> None:
        twice = '{"a": [1], "a": [2]}'
        body = f'{{"batches": [{{"source": "egauge", "timestamps": [{NOW_MS}], "fields": {twice}}}]}}'
        assert agent.send(body.encode()).json()["stored"] == 1
        assert readings("a") == {NOW_MS: 2.0}


class TestStamps:
    def test_too_old_asks_whether_these_are_seconds(self, agent: Agent, readings: Reader) -> None:
        answer = agent.upload(batch(at=[NOW_MS // 1000, NOW_MS], a=[1, 2], b=[3, None]))
        assert refusals(answer) == {("egauge", None, "too_old", 2)}
        assert "seconds?" in answer.json()["refused"][0]["message"]
        assert readings("a") == {NOW_MS: 2.0}

    def test_in_future(self, agent: Agent, readings: Reader) -> None:
        answer = agent.upload(batch(at=[NOW_MS + DAY, NOW_MS + DAY + 1], a=[1, 2]))
        assert refusals(answer) == {("egauge", None, "in_future", 1)}
        assert readings("a") == {NOW_MS + DAY: 1.0}

    def test_sealed(self, agent: Agent, egauge: Device, readings: Reader) -> None:
        Source.objects.filter(pk=egauge.pk).update(sealed_before=NOW_MS - HOUR)
        answer = agent.upload(
            batch(at=[5, NOW_MS - HOUR - 1, NOW_MS - HOUR, NOW_MS], a=[0, 1, 2, 3], states={"m": ["x"] * 4})
        )
        assert refusals(answer) == {("egauge", None, "too_old", 2), ("egauge", None, "sealed", 2)}
        assert readings("a") == {NOW_MS - HOUR: 2.0, NOW_MS: 3.0}

    def test_the_year_2000_is_not_too_old(self, agent: Agent, readings: Reader) -> None:
        first = 946_684_800_000
        answer = agent.upload(batch(at=[first - 1, first], a=[1, 2]))
        assert refusals(answer) == {("egauge", None, "too_old", 1)}
        assert readings("a") == {first: 2.0}

    @pytest.mark.parametrize("stamp", [2**63, 2**64, 10**25, -(2**63) - 1, -(10**25)])
    def test_stamps_beyond_64_bits_cost_only_themselves(
        self, agent: Agent, readings: Reader, stamp: int
    ) -> None:
        answer = agent.upload(batch(at=[stamp, NOW_MS], a=[1, 2]))
        assert refusals(answer) == {("egauge", None, "in_future" if stamp > 0 else "too_old", 1)}
        assert readings("a") == {NOW_MS: 2.0}

    def test_nulls_at_bad_stamps_are_nothing_to_refuse(self, agent: Agent) -> None:
        assert agent.upload(batch(at=[0], a=[None])).json() == {"stored": 0, "events": 0, "refused": []}


def test_nothing_accepted_is_lost_beside_everything_that_is_refused(
    agent: Agent, egauge: Device, house_a: House, readings: Reader
) -> None:
    off = create_device(house=house_a, name="off", type="egauge", config=CONFIG)
    update_device(device=off, enabled=False)
    Source.objects.filter(pk=egauge.pk).update(sealed_before=NOW_MS - DAY)
    answer = agent.upload(
        5,
        batch("nobody", a=[1]),
        batch("off", a=[1]),
        batch(at=["x"], a=[1]),
        batch(**{f"f{n}": [1] for n in range(501)}),
        batch(
            at=[1, NOW_MS - DAY - 1, NOW_MS, NOW_MS + 2 * DAY],
            good=[1, 2, 3, 4],
            short=[1],
            text=["a", "b", "c", "d"],
            _bad=[1, 2, 3, 4],
            states={"mode": ["a", "b", "c", "d"], "number": [1, 2, 3, 4]},
        ),
        batch(good_too=[8]),
        events=[
            7,
            {"source": "nobody", "timestamp": NOW_MS, "type": "X"},
            {"source": "egauge", "timestamp": 1.5, "type": "X"},
            {"source": "egauge", "timestamp": NOW_MS, "type": 5},
            {"source": "egauge", "timestamp": NOW_MS, "type": "GOOD"},
        ],
    )
    assert answer.status_code == 200
    assert (answer.json()["stored"], answer.json()["events"]) == (2, 1)
    assert {refusal["code"] for refusal in answer.json()["refused"]} == {code.value for code in Code}
    assert readings("good") == {NOW_MS: 3.0}
    assert readings("good_too") == {NOW_MS: 8.0}
    assert store.latest([egauge.pk])[egauge.pk]["mode"] == (NOW_MS, "c")
    assert list(egauge.source.events.order_by("type").values_list("type", flat=True)) == ["GOOD", "STATE"]


def test_every_code_has_its_sentence() -> None:
    assert MESSAGES.keys() == set(Code)


def test_refusals_alike_are_told_once_and_the_list_is_bounded(agent: Agent) -> None:
    answer = agent.upload(*[batch("nobody", a=[1])] * 3)
    assert refusals(answer) == {("nobody", None, "unknown_source", 3)}
    answer = agent.upload(*[batch(f"x{n}", a=[1]) for n in range(MOST_ENTRIES + 50)])
    assert len(answer.json()["refused"]) == MOST_ENTRIES + 1
    assert sum(refusal["count"] for refusal in answer.json()["refused"]) == MOST_ENTRIES + 50


@pytest.mark.django_db(transaction=True)
def test_an_upload_takes_two_statements_once_things_are_known(agent: Agent) -> None:
    body = json.dumps({"batches": [batch(a=[1], b=[2])], "agent": {"spool": 0}}).encode()
    agent.send(body)
    with CaptureQueriesContext(connection) as queries:
        agent.send(body)
    assert len(queries) == 2, [query["sql"] for query in queries.captured_queries]


def test_the_arrival_time_is_the_servers(agent: Agent) -> None:
    agent.upload(batch(at=[NOW_MS - 9 * DAY], a=[1]))
    assert abs(Tail.objects.get().received_at - NOW) < timedelta(seconds=1)
