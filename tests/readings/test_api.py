"""Sources, newest values and series over HTTP, from the real store, asked for by everybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.houses.models import House
from apps.readings import api, ranges, raw, store
from apps.readings.calendar import HOUR_MS, MINUTE_MS
from apps.readings.models import Namespace, Segment, Series, Source
from apps.readings.series import FieldSpec, declare
from apps.readings.store import Block, Upload
from tests.people import AsUser

START = 1_748_728_800_000  # 2025-06-01 00:00 in Brussels, UTC + 2
NOW = datetime(2025, 6, 2, tzinfo=UTC)
FIELDS = [
    FieldSpec("A.Solar", "power", "kW", "gauge", 10.0, "+ production"),
    FieldSpec("A.Grid Power", "power", "kW", "interval", 300.0, "+ import"),
    FieldSpec("E", "energy", "kWh", "counter"),
]
PLACES = ["sources", "latest", "series"]

Get = Callable[..., dict[str, Any]]


@pytest.fixture
def egauge(house_a: House) -> Source:
    """An eGauge with ten minutes of readings: one a minute, its register among them, and a quality mask."""
    source = Source.objects.create(house=house_a, name="egauge", label="eGauge")
    declare(source=source, fields=FIELDS)
    stamps = START + MINUTE_MS * np.arange(10, dtype=np.int64)
    solar, register = np.linspace(0, 9, 10), np.linspace(100, 109, 10)
    block = Block(("A.Solar", "E", "_quality"), stamps, np.array([solar, register, np.zeros(10)]))
    store.append(
        [Upload(source.pk, (block,), states={"mode": (START + 5, "auto"), "online": (START, True)})],
        received_at=NOW,
    )
    return source


@pytest.fixture
def get(house_a: House, bob: User, as_user: AsUser) -> Get:
    """Ask as Bob; the answer must be of `status`."""
    client = as_user(bob)

    def got(place: str, status: int = 200, **query: Any) -> dict[str, Any]:
        answer = client.get(f"/api/v1/houses/{house_a.pk}/{place}/", query)
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/json"
        return json.loads(answer.content, parse_constant=pytest.fail)

    return got


@pytest.fixture
def series(get: Get) -> Get:
    """Ask for `egauge.A.Solar` in the first hour, unless told otherwise."""

    def got(status: int = 200, **query: Any) -> dict[str, Any]:
        query = {"series": "egauge.A.Solar", "start": START, "end": START + HOUR_MS, **query}
        answer = get("series", status, **{name: value for name, value in query.items() if value is not None})
        return answer["series"] if status == 200 else answer["error"]

    return got


class TestWhoSeesWhat:
    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize(
        ("who", "status"), [("alice", 200), ("bob", 200), ("ann", 200), ("admin", 200), ("charlie", 404)]
    )
    def test_members_see_a_house_and_others_do_not(self, who, status, place, egauge, request, as_user):
        client: Client = as_user(request.getfixturevalue(who))
        asked = {"series": "egauge.A.Solar", "start": START, "end": START + 1}
        answer = client.get(f"/api/v1/houses/{egauge.house_id}/{place}/", asked if place == "series" else {})
        assert answer.status_code == status

    @pytest.mark.parametrize("place", PLACES)
    def test_a_foreign_house_is_not_told_from_none(self, place, charlie, egauge, as_user):
        client = as_user(charlie)
        foreign = client.get(f"/api/v1/houses/{egauge.house_id}/{place}/")
        nowhere = client.get(f"/api/v1/houses/999999/{place}/")
        assert foreign.status_code == nowhere.status_code == 404
        assert foreign.json() == nowhere.json()

    @pytest.mark.parametrize("place", PLACES)
    def test_strangers_are_asked_to_log_in(self, place, client, egauge):
        answer = client.get(f"/api/v1/houses/{egauge.house_id}/{place}/")
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"

    def test_a_token_serves_like_a_session(self, bob, client, egauge):
        _, token = AuthToken.objects.create(bob)
        answer = client.get(
            f"/api/v1/houses/{egauge.house_id}/latest/", headers={"Authorization": f"Token {token}"}
        )
        assert answer.status_code == 200

    def test_charlie_cannot_name_a_series_of_another_house(self, charlie, egauge, house_b, as_user):
        answer = as_user(charlie).get(
            f"/api/v1/houses/{house_b.pk}/series/",
            {"series": "egauge.A.Solar", "start": START, "end": START + 1},
        )
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "unknown_series"

    @pytest.mark.parametrize("place", PLACES)
    def test_nothing_is_changed_here(self, place, admin, egauge, as_user):
        assert as_user(admin).post(f"/api/v1/houses/{egauge.house_id}/{place}/").status_code == 405


class TestSources:
    def test_a_source_tells_its_fields(self, get, egauge):
        (source,) = get("sources")
        assert {name: source[name] for name in ("name", "namespace", "label", "enabled")} == {
            "name": "egauge",
            "namespace": "device",
            "label": "eGauge",
            "enabled": True,
        }
        assert source["fields"][1] == {
            "name": "A.Solar",
            "series": "egauge.A.Solar",
            "quantity": "power",
            "unit": "kW",
            "kind": "gauge",
            "cadence": 10.0,
            "sign": "+ production",
        }

    def test_reserved_fields_are_not_listed(self, get, egauge):
        assert [field["name"] for field in get("sources")[0]["fields"]] == ["A.Grid Power", "A.Solar", "E"]

    def test_an_item_is_named_as_formulas_name_it(self, get, house_a):
        source = Source.objects.create(house=house_a, name="net", namespace=Namespace.ANALYTICS)
        Series.objects.create(source=source, field="value")
        assert get("sources")[0]["fields"][0]["series"] == "analytics.net"

    def test_a_house_without_sources_has_an_empty_list(self, get):
        assert get("sources") == []

    def test_more_sources_take_no_more_queries(
        self, house_a: House, bob: User, as_user: AsUser, django_assert_num_queries: DjangoAssertNumQueries
    ):
        for number in range(10):
            source = Source.objects.create(house=house_a, name=f"s{number}")
            Series.objects.create(source=source, field="x")
        client = as_user(bob)
        with django_assert_num_queries(5):  # session, user, house, sources, series
            assert len(client.get(f"/api/v1/houses/{house_a.pk}/sources/").json()) == 10


class TestLatest:
    def test_every_field_has_its_newest_value(self, get, egauge):
        newest = get("latest")
        assert newest["egauge.A.Solar"] == {"timestamp": START + 9 * MINUTE_MS, "value": 9.0, "unit": "kW"}
        assert newest["egauge.E"]["unit"] == "kWh"

    def test_states_are_among_them(self, get, egauge):
        newest = get("latest")
        assert newest["egauge.mode"] == {"timestamp": START + 5, "value": "auto", "unit": ""}
        assert newest["egauge.online"]["value"] is True

    def test_reserved_fields_and_fields_never_read_are_not(self, get, egauge):
        assert set(get("latest")) == {"egauge.A.Solar", "egauge.E", "egauge.mode", "egauge.online"}

    def test_a_house_without_sources_has_none(self, get):
        assert get("latest") == {}

    def test_other_houses_stay_out(self, get, egauge, house_b):
        other = Source.objects.create(house=house_b, name="sonnen")
        block = Block(("P",), np.array([START], np.int64), np.array([[1.0]]))
        store.append([Upload(other.pk, (block,))], received_at=NOW)
        assert not any(name.startswith("sonnen") for name in get("latest"))


class TestRaw:
    def test_readings_come_as_they_were_read(self, series, egauge):
        assert series(end=START + 3 * MINUTE_MS) == {
            "egauge.A.Solar": {
                "unit": "kW",
                "timestamps": [START, START + MINUTE_MS, START + 2 * MINUTE_MS],
                "values": [0.0, 1.0, 2.0],
            }
        }

    def test_the_start_is_included_and_the_end_is_not(self, series, egauge):
        answer = series(start=START + MINUTE_MS, end=START + 2 * MINUTE_MS)
        assert answer["egauge.A.Solar"]["timestamps"] == [START + MINUTE_MS]

    def test_compacted_and_fresh_readings_come_alike(self, series, egauge):
        before = series()
        store.compact(egauge.pk, START // 86_400_000)
        assert series() == before

    def test_several_series_come_under_their_names(self, series, egauge):
        answer = series(series=["egauge.E", "egauge.A.Solar", "egauge.E"])
        assert list(answer) == ["egauge.E", "egauge.A.Solar"]
        assert answer["egauge.E"]["values"][0] == 100.0

    def test_a_field_with_a_space_needs_no_quotes(self, bob, egauge, as_user):
        client = as_user(bob)
        query = f"series={quote('egauge.A.Grid Power')}&start={START}&end={START + 1}"
        answer = client.get(f"/api/v1/houses/{egauge.house_id}/series/?{query}")
        assert answer.json()["series"] == {
            "egauge.A.Grid Power": {"unit": "kW", "timestamps": [], "values": []}
        }

    def test_reserved_fields_can_be_asked_for(self, series, egauge):
        assert series(series="egauge._quality")["egauge._quality"]["values"] == [0.0] * 10


class TestBins:
    def test_bins_carry_their_start_mean_and_coverage(self, series, egauge):
        answer = series(every="5m", end=START + 15 * MINUTE_MS)["egauge.A.Solar"]
        assert answer == {
            "unit": "kW",
            "timestamps": [START, START + 5 * MINUTE_MS, START + 10 * MINUTE_MS],
            "values": [2.5, 7.0, None],
            "coverage": [1.0, 0.8, 0.0],
        }

    def test_the_mean_may_be_asked_for_by_name(self, series, egauge):
        assert series(every="5m", aggregate="mean") == series(every="5m")

    @pytest.mark.parametrize(
        ("every", "first", "count"),
        [
            ("15m", START, 4),
            ("1h", START, 1),
            ("1d", START, 1),
            ("1w", START - 6 * 24 * HOUR_MS, 1),  # Monday, 26 May
            ("1mo", START, 1),
        ],
    )
    def test_bins_follow_the_house_s_calendar(self, every, first, count, series, egauge):
        answer = series(every=every)["egauge.A.Solar"]
        assert answer["timestamps"][0] == first
        assert len(answer["timestamps"]) == count
        assert answer["values"][0] == pytest.approx(4.5)

    def test_the_same_range_has_other_days_in_another_zone(self, series, egauge, house_a):
        House.objects.filter(pk=house_a.pk).update(time_zone="America/Los_Angeles")
        assert series(every="1d")["egauge.A.Solar"]["timestamps"] == [START - 15 * HOUR_MS]

    def test_series_without_readings_are_null_throughout(self, series, egauge):
        answer = series(series="egauge.A.Grid Power", every="15m")["egauge.A.Grid Power"]
        assert answer["values"] == [None] * 4
        assert answer["coverage"] == [0.0] * 4


class TestRefusals:
    @pytest.mark.parametrize("field", ["series", "start", "end"])
    def test_what_is_missing_is_named(self, field, series, egauge):
        error = series(400, **{field: None})
        assert (error["field"], error["code"]) == (field, "required")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("start", "yesterday"),
            ("start", "1.5"),
            ("start", "-1"),
            ("start", "NaN"),
            ("end", "9" * 30),
            ("end", str(ranges.LAST_MS + 1)),
            ("end", str(START)),
            ("end", str(START - 1)),
            ("every", "2h"),
            ("every", "1H"),
            ("aggregate", "median"),
            ("output", "xml"),
        ],
    )
    def test_a_bad_parameter_is_named(self, field, value, series, egauge):
        assert series(400, **{"every": "1h", field: value})["field"] == field

    def test_an_empty_parameter_is_one_left_out(self, series, egauge):
        assert series(every="", aggregate="") == series()

    def test_an_unknown_length_is_answered_with_those_that_exist(self, series, egauge):
        assert "5m, 15m, 1h, 1d, 1w, 1mo" in series(400, every="1y")["message"]

    def test_an_unknown_aggregate_is_answered_with_those_that_exist(self, series, egauge):
        error = series(400, every="1h", aggregate="median")
        assert "use one of: mean, min, max, sum, count, integral, increase" in error["message"]

    @pytest.mark.parametrize(
        ("name", "aggregate", "code", "other"),
        [
            ("egauge.E", "mean", "no_mean", "increase"),
            ("egauge.E", "integral", "no_integral", "increase"),
            ("egauge.A.Solar", "increase", "no_increase", "integral"),
        ],
    )
    def test_what_a_kind_of_series_has_not_is_refused_with_what_it_has(
        self, name, aggregate, code, other, series, egauge
    ):
        error = series(400, series=name, every="1h", aggregate=aggregate)
        assert (error["field"], error["code"]) == ("series", code)
        assert f"“{name}”" in error["message"]
        assert f"ask for “{other}”" in error["message"]

    def test_an_aggregate_needs_bins(self, series, egauge):
        assert series(400, aggregate="mean")["field"] == "aggregate"

    @pytest.mark.parametrize("name", ["", "egauge", "egauge.B", "analytics.net", 'egauge."A.Solar"'])
    def test_an_unknown_series_is_named(self, name, series, egauge):
        error = series(400, series=["egauge.E", name])
        assert (error["field"], error["code"]) == ("series", "unknown_series")
        assert f"“{name}”" in error["message"]

    def test_a_register_has_no_mean(self, series, egauge):
        error = series(400, series="egauge.E", every="1h")
        assert (error["field"], error["code"]) == ("series", "no_mean")

    def test_too_many_series_are_refused(self, series, egauge):
        assert series(400, series=["egauge.E"] * (api.MAX_SERIES + 1))["field"] == "series"


class TestBounds:
    @pytest.mark.parametrize("compacted", [True, False])
    def test_too_many_readings_are_refused_with_their_number(self, compacted, series, egauge, monkeypatch):
        monkeypatch.setattr(raw, "MAX_POINTS", 19)
        if compacted:
            store.compact(egauge.pk, START // 86_400_000)
        error = series(400, series=["egauge.A.Solar", "egauge.E"], end=START + 48 * HOUR_MS)
        assert (error["field"], error["code"]) == ("end", "too_many_points")
        assert "20 points" in error["message"]
        assert len(series(end=START + 48 * HOUR_MS)["egauge.A.Solar"]["values"]) == 10

    def test_a_damaged_day_is_told_of_and_the_others_are_answered(self, series, egauge):
        day = START // 86_400_000
        store.compact(egauge.pk, day)
        stored = Segment.objects.filter(source=egauge, day=day).first()
        spoilt = bytes(stored.payload[:-1]) + bytes([stored.payload[-1] ^ 1])
        Segment.objects.filter(source=egauge, day=day).update(payload=spoilt)
        error = series(500)
        assert error["code"] == "damaged_readings"
        assert f"{datetime.fromtimestamp(START / 1000, UTC):%Y-%m-%d} (UTC)" in error["message"]
        before = START - 48 * HOUR_MS
        assert series(start=before, end=before + HOUR_MS)["egauge.A.Solar"]["values"] == []

    def test_a_range_of_years_is_refused_before_it_is_decoded(self, series, egauge, monkeypatch):
        monkeypatch.setattr(raw, "MAX_POINTS", 9)
        store.compact(egauge.pk, START // 86_400_000)
        monkeypatch.setattr(store, "read", pytest.fail)
        assert series(400, start=0, end=ranges.LAST_MS)["code"] == "too_many_points"

    def test_too_many_bins_are_refused_with_their_number(self, series, egauge):
        error = series(400, every="5m", start=0)
        assert (error["field"], error["code"]) == ("every", "too_many_bins")
        assert f"{(START + HOUR_MS) // (5 * MINUTE_MS) + 2} bins" in error["message"]

    @pytest.mark.parametrize("every", ["1d", "1w", "1mo"])
    def test_the_widest_range_of_days_answers(self, every, series, egauge):
        answer = series(every=every, start=START - 10**12, end=START + HOUR_MS)["egauge.A.Solar"]
        assert answer["values"][-1] == pytest.approx(4.5)
        assert set(answer["coverage"][:-1]) == {0.0}


def test_the_description_of_the_api_holds_these_addresses(client, settings):
    described = client.get(reverse("schema"), headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    operation = described["paths"]["/api/v1/houses/{house_id}/series/"]["get"]
    assert {"series", "start", "end", "every"} <= {one["name"] for one in operation["parameters"]}
    assert {"200", "400", "401", "404"} <= set(operation["responses"])


class TestAggregates:
    @pytest.mark.parametrize(
        ("aggregate", "value", "unit"),
        [
            ("mean", 4.5, "kW"),
            ("min", 0, "kW"),
            ("max", 9, "kW"),
            ("sum", 45, "kW"),
            ("count", 10, ""),
            ("integral", 4.5 * 9 / 60, "kWh"),
        ],
    )
    @pytest.mark.parametrize("every", ["15m", "1h", "1d", "1mo"])
    def test_a_bin_tells_what_was_asked_of_it_in_its_unit(
        self, aggregate, value, unit, every, series, egauge
    ):
        (points,) = series(every=every, aggregate=aggregate).values()
        assert points["unit"] == unit
        assert [one for one in points["values"] if one] == pytest.approx([value] if value else [])

    @pytest.mark.parametrize("every", ["15m", "1h", "1d"])
    def test_a_register_has_an_increase(self, every, series, egauge):
        (points,) = series(series="egauge.E", every=every, aggregate="increase").values()
        assert points["unit"] == "kWh"
        assert points["values"][0] == pytest.approx(9)

    def test_csv_has_a_line_for_each_stamp_and_a_column_for_each_series(self, house_a, bob, egauge, as_user):
        answer = as_user(bob).get(
            f"/api/v1/houses/{house_a.pk}/series/",
            {
                "series": ["egauge.A.Solar", "egauge.A.Grid Power"],
                "start": START,
                "end": START + 2 * HOUR_MS,
                "every": "1h",
                "aggregate": "integral",
                "output": "csv",
            },
        )
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == f'attachment; filename="{house_a.name}.csv"'
        assert answer.content.decode().splitlines() == [
            "timestamp,time,egauge.A.Solar (kWh),egauge.A.Solar coverage,"
            "egauge.A.Grid Power (kWh),egauge.A.Grid Power coverage",
            f"{START},2025-06-01T00:00:00.000+02:00,0.675,0.15,,0.0",
            f"{START + HOUR_MS},2025-06-01T01:00:00.000+02:00,,0.0,,0.0",
        ]

    def test_csv_of_readings_leaves_empty_what_a_series_has_not(self, house_a, bob, egauge, as_user):
        answer = as_user(bob).get(
            f"/api/v1/houses/{house_a.pk}/series/",
            {"series": ["egauge.A.Solar", "egauge.E"], "start": START, "end": START + 1, "output": "csv"},
        )
        assert answer.content.decode().splitlines()[1] == f"{START},2025-06-01T00:00:00.000+02:00,0.0,100.0"
