"""Events over HTTP: who sees them, which are found, and going through all of them page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.devices import events
from apps.devices.edge.happenings import Happening
from apps.devices.models import Device, Event
from apps.houses.models import House
from apps.readings.models import Namespace, Source
from tests.devices.conftest import NOW_MS
from tests.fuzzing import examples
from tests.people import AsUser

Get = Callable[..., dict[str, Any]]


def happen(house: House, *stamps: int, source: Device | None = None, type_: str = "X", **data: Any) -> None:
    pk = None if source is None else source.pk
    events.add(house=house, happened=[Happening(pk, stamp, type_, data) for stamp in stamps])


@pytest.fixture
def get(house_a: House, bob: User, as_user: AsUser) -> Get:
    """Ask as Bob; the answer must be of `status`."""
    client = as_user(bob)

    def got(status: int = 200, **query: Any) -> dict[str, Any]:
        answer = client.get(f"/api/v1/houses/{house_a.pk}/events/", query)
        assert answer.status_code == status, answer.content
        body: dict[str, Any] = answer.json()
        return body if status == 200 else body["error"]

    return got


def stamps(answer: dict[str, Any]) -> list[int]:
    return [event["timestamp"] for event in answer["events"]]


class TestWhoSeesWhat:
    @pytest.mark.parametrize(
        ("who", "status"), [("alice", 200), ("bob", 200), ("ann", 200), ("admin", 200), ("charlie", 404)]
    )
    def test_members_see_what_happened_and_others_do_not(
        self, who: str, status: int, house_a: House, request: pytest.FixtureRequest, as_user: AsUser
    ) -> None:
        client = as_user(request.getfixturevalue(who))
        assert client.get(f"/api/v1/houses/{house_a.pk}/events/").status_code == status

    def test_strangers_are_asked_to_log_in(self, client: Client, house_a: House) -> None:
        assert client.get(f"/api/v1/houses/{house_a.pk}/events/").status_code == 401

    def test_nothing_of_another_house_is_among_them(self, get: Get, house_b: House) -> None:
        happen(house_b, NOW_MS)
        assert get() == {"events": [], "before": None}

    def test_a_source_of_another_house_is_unknown(
        self, charlie: User, house_b: House, egauge: Device, as_user: AsUser
    ) -> None:
        answer = as_user(charlie).get(f"/api/v1/houses/{house_b.pk}/events/", {"source": "egauge"})
        assert answer.json()["error"]["code"] == "unknown_source"


class TestWhatIsFound:
    def test_an_event_tells_when_where_and_what(self, get: Get, house_a: House, egauge: Device) -> None:
        happen(house_a, NOW_MS, source=egauge, type_="EV_END_CHARGING", energy=5)
        happen(house_a, NOW_MS + 1, type_="WARNING", data="spool")
        assert get()["events"] == [
            {"timestamp": NOW_MS + 1, "source": None, "type": "WARNING", "data": {"data": "spool"}},
            {"timestamp": NOW_MS, "source": "egauge", "type": "EV_END_CHARGING", "data": {"energy": 5}},
        ]

    def test_the_range_is_half_open(self, get: Get, house_a: House) -> None:
        happen(house_a, 10, 20, 30)
        assert stamps(get(start=10, end=30)) == [20, 10]
        assert stamps(get(start=11)) == [30, 20]
        assert stamps(get(end=11)) == [10]

    def test_values_of_one_parameter_are_alternatives_and_parameters_conditions(
        self, get: Get, house_a: House, egauge: Device
    ) -> None:
        happen(house_a, 1, type_="A")
        happen(house_a, 2, type_="A", source=egauge)
        happen(house_a, 3, type_="B", source=egauge)
        happen(house_a, 4, type_="C", source=egauge)
        assert stamps(get(type=["A", "B"])) == [3, 2, 1]
        assert stamps(get(type=["A", "B"], source="egauge")) == [3, 2]

    def test_an_item_of_the_same_name_is_not_meant(self, get: Get, house_a: House, egauge: Device) -> None:
        Source.objects.create(house=house_a, name="egauge", namespace=Namespace.ANALYTICS)
        happen(house_a, 1, source=egauge)
        assert stamps(get(source="egauge")) == [1]

    @pytest.mark.parametrize(
        ("query", "field", "code"),
        [
            ({"source": "nobody"}, "source", "unknown_source"),
            ({"start": 5, "end": 5}, "end", "empty_range"),
            ({"start": "noon"}, "start", "invalid"),
            ({"start": -1}, "start", "min_value"),
            ({"end": 10**30}, "end", "max_value"),
            ({"limit": 0}, "limit", "min_value"),
            ({"limit": 1001}, "limit", "max_value"),
            ({"before": "yesterday"}, "before", "invalid"),
            ({"before": "1.2.3"}, "before", "invalid"),
            ({"type": "\0"}, "type.0", "null_characters_not_allowed"),
            ({"type": ["x"] * 51}, "type", "max_length"),
        ],
    )
    def test_what_cannot_be_asked_is_told_where(
        self, get: Get, query: dict[str, Any], field: str, code: str
    ) -> None:
        error = get(400, **query)
        assert (error["field"], error["code"]) == (field, code)


class TestPages:
    def test_a_hundred_come_at_once_unless_told_otherwise(self, get: Get, house_a: House) -> None:
        happen(house_a, *range(150))
        answer = get()
        assert stamps(answer) == list(range(149, 49, -1))
        assert stamps(get(before=answer["before"])) == list(range(49, -1, -1))
        assert len(get(limit=1000)["events"]) == 150

    def test_the_last_page_says_so(self, get: Get, house_a: House) -> None:
        happen(house_a, 1, 2)
        assert get(limit=2)["before"] is None
        assert get(limit=1)["before"] is not None

    def test_a_moment_serves_as_well(self, get: Get, house_a: House) -> None:
        happen(house_a, 1, 2, 3)
        assert stamps(get(before=3)) == [2, 1]

    @settings(
        max_examples=examples(25, nightly=250),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(when=st.lists(st.integers(0, 4), max_size=12), limit=st.integers(1, 5))
    def test_going_through_the_pages_leaves_out_and_repeats_none_however_many_at_once(
        self, get: Get, house_a: House, when: list[int], limit: int
    ) -> None:
        Event.objects.all().delete()
        for number, stamp in enumerate(when):
            happen(house_a, stamp, number=number)
        seen, place = [], {}
        while True:
            answer = get(limit=limit, **place)
            seen += [(event["timestamp"], event["data"]["number"]) for event in answer["events"]]
            if answer["before"] is None:
                break
            place = {"before": answer["before"]}
        assert sorted(seen) == sorted((stamp, number) for number, stamp in enumerate(when))
        assert [stamp for stamp, _ in seen] == sorted(when, reverse=True)
