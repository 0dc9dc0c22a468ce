"""`evaluate/` over HTTP: who may ask what, every form of answer, and every refusal."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.analytics.models import AnalyticsItem
from apps.houses.models import House
from apps.readings import store
from apps.readings.calendar import HOUR_MS, MINUTE_MS
from apps.readings.models import Segment, Source
from apps.readings.samples import DAY
from tests.analytics.building import START, happen, put
from tests.people import AsUser

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _house(house_a: House) -> None:
    """A meter every minute of the first hour, and an item that reads it."""
    put(house_a, "m.P", {m: m - 10 for m in range(61)})
    AnalyticsItem.objects.create(house=house_a, name="net", formula="m.P*2", version=3)
    AnalyticsItem.objects.create(house=house_a, name="export", formula="-neg(analytics.net)", unit="kW")


def get(client: Client, house: House, **query: Any) -> Any:
    query = {"start": START, "end": START + HOUR_MS, **query}
    return client.get(f"/api/v1/houses/{house.pk}/evaluate/", query)


@pytest.fixture
def ask(house_a: House, ann: User, as_user: AsUser) -> Ask:
    """Ask as Ann, an analyst; the answer must be of `status`."""
    client = as_user(ann)

    def asked(status: int = 200, **query: Any) -> dict[str, Any]:
        answer = get(client, house_a, **query)
        assert answer.status_code == status, answer.content
        body = json.loads(answer.content, parse_constant=pytest.fail)
        return body if status == 200 else body["error"]

    return asked


class TestWhoMayAsk:
    @pytest.mark.parametrize(
        ("who", "formula", "item"),
        [
            ("admin", 200, 200),
            ("alice", 200, 200),
            ("ann", 200, 200),
            ("bob", 403, 200),
            ("charlie", 404, 404),
        ],
    )
    def test_formulas_are_for_who_analyses_and_items_for_members(
        self, request, as_user, house_a, who, formula, item
    ):
        client = as_user(request.getfixturevalue(who))
        assert get(client, house_a, formula="m.P").status_code == formula
        assert get(client, house_a, item="net").status_code == item

    def test_strangers_are_asked_to_log_in(self, client, house_a):
        assert get(client, house_a, item="net").status_code == 401

    def test_a_homeowner_is_told_what_to_ask_instead(self, as_user, bob, house_a):
        error = get(as_user(bob), house_a, formula="1/").json()["error"]
        assert (error["code"], "item" in error["message"]) == ("forbidden", True)

    def test_an_item_of_another_house_is_unknown(self, as_user, charlie, house_b):
        answer = get(as_user(charlie), house_b, item="net")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_item")

    def test_nothing_is_changed_here(self, as_user, admin, house_a):
        assert as_user(admin).post(f"/api/v1/houses/{house_a.pk}/evaluate/").status_code == 405


def test_readings_that_are_damaged_are_told_of(ask, house_a):
    source, day = Source.objects.get(house=house_a, name="m"), START // DAY
    store.compact(source.pk, day)
    (stored,) = Segment.objects.filter(source=source, day=day)
    spoilt = bytes(stored.payload[:-1]) + bytes([stored.payload[-1] ^ 1])
    Segment.objects.filter(source=source, day=day).update(payload=spoilt)
    error = ask(500, formula="m.P")
    assert (error["code"], "damaged on our side" in error["message"]) == ("damaged_readings", True)


class TestAnswers:
    def test_a_formula_at_its_stamps(self, ask):
        assert ask(formula="m.P/0.5", end=START + 2 * MINUTE_MS) == {
            "unit": "kW",
            "timestamps": [START, START + MINUTE_MS],
            "values": [-20, -18],
        }

    def test_missing_values_are_null(self, ask):
        assert ask(formula="1/(m.P + 10)", end=START + 2 * MINUTE_MS)["values"] == [None, 1]

    def test_an_item_with_the_items_it_names(self, ask):
        answer = ask(item="export", every="1h", aggregate="max")
        assert answer == {"unit": "kW", "timestamps": [START], "values": [20], "coverage": [1]}

    def test_an_item_may_say_its_unit_itself(self, ask, house_a):
        AnalyticsItem.objects.create(house=house_a, name="odd", formula="m.P^2/m.P", unit="kW")
        assert ask(item="odd", aggregate="integral")["unit"] == "kWh"
        assert "unit" not in ask(formula="m.P^2/m.P")

    def test_a_formula_may_name_items(self, ask):
        assert ask(formula="analytics.net + 1", end=START + 1)["values"] == [-19]

    def test_one_aggregate_of_the_range_is_one_value(self, ask):
        assert ask(formula="m.P", aggregate="integral") == {
            "unit": "kWh", "value": pytest.approx(20), "coverage": [1]
        }  # fmt: skip
        assert ask(formula="m.P", aggregate="mean", start=0, end=1) == {
            "unit": "kW", "value": None, "coverage": [0]
        }  # fmt: skip

    @pytest.mark.parametrize("options", [{}, {"every": "1h"}, {"aggregate": "mean"}])
    def test_a_number_is_one_value(self, ask, options):
        assert ask(formula="-2^2", **options) == {"value": -4}

    def test_events_have_no_coverage(self, ask, house_a):
        happen(house_a, "ev", "END", 5, energy=4)
        assert ask(formula="events.ev::END.energy/2", every="1h", aggregate="sum") == {
            "timestamps": [START], "values": [2]
        }  # fmt: skip

    def test_bins_are_whole_and_follow_the_house(self, ask):
        answer = ask(formula="m.P", every="1d", start=START + 1, end=START + 2)
        assert answer["timestamps"] == [START]


class TestCsv:
    @staticmethod
    def rows(client: Client, house: House, **query: Any) -> list[list[str]]:
        answer = get(client, house, output="csv", **query)
        assert answer["Content-Type"].startswith("text/csv")
        assert "house-a.csv" in answer["Content-Disposition"]
        return list(csv.reader(answer.content.decode().splitlines()))

    def test_values_with_the_time_of_the_house(self, as_user, bob, house_a):
        assert self.rows(as_user(bob), house_a, item="net", end=START + 1) == [
            ["timestamp", "time", "value (kW)"],
            [str(START), "2025-06-01T00:00:00.000+02:00", "-20.0"],
        ]

    def test_bins_with_coverage_and_missing_values_empty(self, as_user, ann, house_a):
        rows = self.rows(as_user(ann), house_a, formula="m.P", every="1h", end=START + 2 * HOUR_MS)
        assert [row[2:] for row in rows] == [["value (kW)", "coverage"], ["20.0", "1.0"], ["", "0.0"]]

    def test_one_value(self, as_user, ann, house_a):
        assert self.rows(as_user(ann), house_a, formula="2^5") == [["value"], ["32.0"]]
        assert self.rows(as_user(ann), house_a, formula="m.P/0", aggregate="max") == [
            ["value (kW)", "coverage"], ["", "0.0"]
        ]  # fmt: skip


class TestExplain:
    def test_an_instant(self, ask):
        stamp = START + 90_000
        assert ask(item="export", explain=stamp)["explain"] == {
            "timestamp": stamp,
            "value": 17,
            "formula": "-neg(analytics.net)",
            "expanded": "-neg(m.P*2)",
            "version": 1,
            "inputs": [
                {
                    "series": "m.P",
                    "source": "m",
                    "value": -8.5,
                    "timestamps": [START + MINUTE_MS, START + 2 * MINUTE_MS],
                    "coverage": 1,
                }
            ],
        }

    def test_a_bin(self, ask):
        explained = ask(item="net", every="15m", explain=START + 20 * MINUTE_MS)["explain"]
        assert (explained["timestamp"], explained["version"]) == (START + 15 * MINUTE_MS, 3)
        assert explained["value"] == pytest.approx(25)
        assert explained["inputs"][0]["value"] == pytest.approx(12.5)

    def test_the_whole_range(self, ask):
        explained = ask(formula="m.P + avg(m.P, 60000)", aggregate="sum", explain=START)["explain"]
        assert [one["series"] for one in explained["inputs"]] == ["m.P", "avg(m.P, 60000)"]
        assert explained["value"] == pytest.approx(sum(one["value"] for one in explained["inputs"]))
        assert explained["version"] is None

    def test_what_is_missing_is_null(self, ask):
        explained = ask(formula="m.P + 1", explain=START + 200 * MINUTE_MS, end=START + 5 * HOUR_MS)[
            "explain"
        ]
        assert (explained["value"], explained["inputs"][0]["value"]) == (None, None)


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "field", "code"),
        [
            ({}, "formula", "one_of_two"),
            ({"formula": "m.P", "item": "net"}, "formula", "one_of_two"),
            ({"formula": ""}, "formula", "one_of_two"),
            ({"formula": " "}, "formula", "bad_formula"),
            ({"formula": "1" * 20_001}, "formula", "max_length"),
            ({"formula": "m.P +"}, "formula", "bad_formula"),
            ({"formula": "9^9^9"}, "formula", "bad_formula"),
            ({"formula": "1/0"}, "formula", "bad_formula"),
            ({"formula": "(" * 10_000 + "1"}, "formula", "bad_formula"),
            ({"formula": "m.Q"}, "formula", "bad_formula"),
            ({"formula": "analytics.gone"}, "formula", "bad_formula"),
            ({"formula": "m.P + events.::X"}, "formula", "bad_formula"),
            ({"item": "gone"}, "item", "unknown_item"),
            ({"item": "loop"}, "item", "bad_formula"),
            ({"item": "net", "every": "2h"}, "every", "invalid_choice"),
            ({"item": "net", "aggregate": "median"}, "aggregate", "invalid_choice"),
            ({"item": "net", "output": "xml"}, "output", "invalid_choice"),
            ({"item": "net", "end": START}, "end", "empty_range"),
            ({"item": "net", "start": "yesterday"}, "start", "invalid"),
            ({"item": "net", "start": 0, "end": 10**12 * 5, "every": "5m"}, "every", "too_many_bins"),
            ({"item": "net", "explain": START - 1}, "explain", "out_of_range"),
            ({"item": "net", "explain": START, "output": "csv"}, "explain", "needs_json"),
            ({"formula": "events.::X", "aggregate": "integral"}, "aggregate", "no_integral"),
            ({"item": "net", "aggregate": "increase"}, "aggregate", "no_increase"),
        ],
    )
    def test_a_bad_question_is_told_what_is_wrong_with_it(self, ask, house_a, query, field, code):
        AnalyticsItem.objects.create(house=house_a, name="loop", formula="analytics.loop + 1")
        error = ask(400, **query)
        assert (error["field"], error["code"]) == (field, code)

    def test_a_fault_in_a_formula_has_its_column(self, ask):
        assert ask(400, formula=" m.P + gone.Q")["message"].startswith(
            "Column 8: This house has no series “gone.Q”"
        )

    def test_too_many_points_are_refused_with_their_number(self, ask, monkeypatch):
        monkeypatch.setattr("apps.analytics.evaluation.MAX_POINTS", 50)
        error = ask(400, item="net")
        assert (error["code"], error["field"]) == ("too_many_points", "end")
        assert "60 points" in error["message"]
        assert len(ask(item="net", every="5m")["values"]) == 12

    def test_too_many_events_are_refused(self, ask, house_a, monkeypatch):
        happen(house_a, "ev", "END", 5)
        happen(house_a, "ev", "END", 6)
        monkeypatch.setattr("apps.analytics.inputs.MAX_EVENTS", 1)
        assert ask(400, formula="events.::END")["code"] == "too_many_events"
