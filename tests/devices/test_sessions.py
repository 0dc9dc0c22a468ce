"""Charging sessions, joined from starts and ends in whatever order they come."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.devices.models import ChargingSession, Device, Event
from apps.devices.mutations import create_device
from apps.devices.sessions import Report, Session, join, recompute
from apps.houses.models import House
from tests.devices.conftest import CONFIG, NOW_MS, Agent
from tests.people import AsUser
from tests.readings.threads import at_once

MINUTE = 60_000


def start(stamp: int) -> Report:
    return Report(stamp, ends=False)


def end(stamp: int, duration: int | None = None, energy: float | None = None) -> Report:
    return Report(stamp, True, duration, energy)


class TestJoin:
    def test_a_start_and_an_end_are_a_session(self) -> None:
        assert join([start(112), end(124, 12, 2000)]) == [Session(112, 124, True, 2000)]

    def test_order_does_not_matter(self) -> None:
        reports = [start(10), end(20, 10), start(30), end(40, 10), start(50)]
        expected = [Session(10, 20), Session(30, 40), Session(50, None)]
        for shuffled in itertools.permutations(reports):
            assert join(shuffled) == expected

    def test_a_start_without_an_end_goes_on(self) -> None:
        assert join([start(10)]) == [Session(10, None)]

    def test_a_lost_end_ends_no_other_session(self) -> None:
        assert join([start(10), start(30), end(40, 10)]) == [Session(10, None), Session(30, 40)]

    def test_a_repeated_start_is_found_out_by_the_duration(self) -> None:
        assert join([start(10), start(30), end(40, 30)]) == [Session(10, 40)]

    def test_without_a_duration_the_last_start_counts(self) -> None:
        assert join([start(10), start(30), end(40)]) == [Session(10, None), Session(30, 40)]

    def test_a_lost_start_is_reckoned_from_the_duration(self) -> None:
        assert join([end(40, 15, 7)]) == [Session(25, 40, False, 7)]

    def test_a_lost_start_without_a_duration_is_not_known(self) -> None:
        assert join([end(40)]) == [Session(None, 40, False)]

    def test_an_end_told_again_is_no_session(self) -> None:
        assert join([start(10), end(20, 10), end(22, 12), end(23)]) == [Session(10, 20)]

    def test_an_end_whose_start_was_lost_after_another_session_is_one(self) -> None:
        assert join([start(10), end(20, 10), end(50, 20)]) == [Session(10, 20), Session(30, 50, False)]

    def test_one_car_leaves_at_the_instant_the_next_one_comes(self) -> None:
        reports = [start(10), start(20), end(20, 10), end(30, 10)]
        assert join(reports) == [Session(10, 20), Session(20, 30)]

    def test_equal_starts_are_one(self) -> None:
        assert join([start(10), start(10)]) == [Session(10, None)]

    @given(
        st.lists(st.tuples(st.integers(0, 60), st.booleans(), st.none() | st.integers(0, 30)), max_size=12)
    )
    def test_going_on_from_any_end_gives_what_all_events_give(
        self, made: list[tuple[int, bool, Any]]
    ) -> None:
        reports = [Report(stamp, ends, duration if ends else None) for stamp, ends, duration in made]
        whole = join(reports)
        for position, session in enumerate(whole):
            if session.ended_at is None:
                continue
            later = [
                one
                for one in reports
                if one.stamp > session.ended_at or (one.stamp == session.ended_at and not one.ends)
            ]
            assert join(later, session) == whole[position + 1 :]


def event(kind: str, stamp: int, source: str = "egauge", **data: Any) -> dict[str, Any]:
    return {"source": source, "timestamp": stamp, "type": f"EV_{kind}_CHARGING", "data": data}


def found() -> list[tuple[int | None, int | None, bool, float | None]]:
    rows = ChargingSession.objects.order_by("at", "id")
    return list(rows.values_list("started_at", "ended_at", "start_seen", "energy_mwh"))


@pytest.mark.usefixtures("egauge", "noon")
class TestUploads:
    def test_a_session_appears_with_its_start_and_is_completed_by_its_end(self, agent: Agent) -> None:
        agent.upload(events=[event("START", NOW_MS - 10 * MINUTE)])
        assert found() == [(NOW_MS - 10 * MINUTE, None, True, None)]
        agent.upload(events=[event("END", NOW_MS, duration=10 * MINUTE, energy=2_000_000)])
        assert found() == [(NOW_MS - 10 * MINUTE, NOW_MS, True, 2_000_000)]
        assert ChargingSession.objects.get().duration_ms == 10 * MINUTE

    def test_the_end_may_come_first(self, agent: Agent) -> None:
        agent.upload(events=[event("END", NOW_MS, energy=5)])
        assert found() == [(None, NOW_MS, False, 5)]
        agent.upload(events=[event("START", NOW_MS - MINUTE)])
        assert found() == [(NOW_MS - MINUTE, NOW_MS, True, 5)]

    def test_repeated_uploads_change_nothing(self, agent: Agent) -> None:
        events = [event("START", NOW_MS - 9), event("END", NOW_MS, duration=9, energy=1)]
        for _ in range(2):
            agent.upload(events=events)
        before = ChargingSession.objects.get().pk
        agent.upload(events=events)
        assert ChargingSession.objects.get().pk == before

    def test_late_events_come_between_known_sessions(self, agent: Agent) -> None:
        for begin in (NOW_MS - 90, NOW_MS - 30, NOW_MS - 60):
            agent.upload(events=[event("START", begin), event("END", begin + 10, duration=10)])
        assert [(one[0], one[1]) for one in found()] == [
            (begin, begin + 10) for begin in (NOW_MS - 90, NOW_MS - 60, NOW_MS - 30)
        ]

    @pytest.mark.parametrize("data", [{"duration": "9", "energy": [1]}, {"duration": -1, "energy": True}, {}])
    def test_data_that_cannot_be_true_counts_as_not_said(self, agent: Agent, data: dict[str, Any]) -> None:
        agent.upload(events=[event("START", NOW_MS - 9), event("END", NOW_MS, **data)])
        assert found() == [(NOW_MS - 9, NOW_MS, True, None)]

    def test_all_can_be_computed_anew(self, agent: Agent, egauge: Device) -> None:
        agent.upload(events=[event("START", NOW_MS - 9), event("END", NOW_MS, duration=9, energy=1)])
        before = found()
        ChargingSession.objects.update(started_at=1, at=1)
        recompute(source_id=egauge.pk)
        assert found() == before

    def test_chargers_are_kept_apart(self, agent: Agent, house_a: House) -> None:
        create_device(house=house_a, name="other", type="egauge", config=CONFIG)
        agent.upload(events=[event("START", NOW_MS - 5), event("END", NOW_MS, source="other", duration=2)])
        assert found() == [(NOW_MS - 5, None, True, None), (NOW_MS - 2, NOW_MS, False, None)]

    def test_the_agents_own_events_are_no_session(self, agent: Agent) -> None:
        agent.upload(events=[{**event("START", NOW_MS), "source": None}])
        assert Event.objects.count() == 1
        assert found() == []

    def test_the_cost_of_a_new_session_does_not_grow_with_their_number(
        self, agent: Agent, egauge: Device
    ) -> None:
        many = [
            one
            for begin in range(NOW_MS - 50_000, NOW_MS - 1_000, 100)
            for one in (event("START", begin), event("END", begin + 50, duration=50))
        ]
        agent.upload(events=many)
        assert len(found()) == 490
        with CaptureQueriesContext(connection) as queries:
            recompute(source_id=egauge.pk, since=NOW_MS - 900)
        assert len(queries) < 10
        assert not any("INSERT" in query["sql"] for query in queries)


@pytest.mark.django_db(transaction=True)
def test_a_start_and_an_end_that_arrive_at_once_are_joined(house_a: House, agent: Agent) -> None:
    create_device(house=house_a, name="egauge", type="egauge", config=CONFIG)
    stamps = range(NOW_MS - 1000, NOW_MS, 100)
    for stamp in stamps:
        at_once(
            lambda stamp=stamp: agent.upload(events=[event("START", stamp)]),  # type: ignore[misc]
            lambda stamp=stamp: agent.upload(events=[event("END", stamp + 50, duration=50)]),  # type: ignore[misc]
        )
    assert [(one[0], one[1]) for one in found()] == [(stamp, stamp + 50) for stamp in stamps]


@pytest.mark.usefixtures("noon")
def test_operators_see_when_a_car_charged_and_how_much(
    agent: Agent, egauge: Device, alice: User, as_user: AsUser
) -> None:
    duration = 95 * MINUTE
    agent.upload(events=[event("END", NOW_MS, duration=duration, energy=7_250_000)])
    page = as_user(alice).get(reverse("admin:devices_chargingsession_changelist")).content.decode()
    for text in ("2026-06-01 10:25:00 UTC", "2026-06-01 12:00:00 UTC", "1:35 h", "7.25 kWh"):
        assert text in page
