"""The record of what was refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.devices.models import Device, Refusal
from apps.houses.models import House
from tests.devices.conftest import NOW, NOW_MS, Agent, batch

pytestmark = pytest.mark.usefixtures("egauge", "noon")


def recorded() -> set[tuple[Any, ...]]:
    return set(Refusal.objects.values_list("source__name", "code", "name", "field", "count"))


def test_refusals_are_counted_by_source_and_reason(agent: Agent, egauge: Device, house_a: House) -> None:
    for _ in range(2):
        agent.upload(batch(at=[NOW_MS, 5], a=[1, 2], b=["x", "y"]))
    assert recorded() == {
        ("egauge", "bad_value", "egauge", "b", 4),
        ("egauge", "too_old", "egauge", "", 2),
    }
    row = Refusal.objects.get(code="too_old")
    assert (row.house, row.source, row.first_at, row.last_at) == (house_a, egauge.source, NOW, NOW)


def test_what_is_no_source_of_the_house_is_counted_together(agent: Agent) -> None:
    agent.upload(*(batch(f"nobody{n}", a=[1]) for n in range(50)))
    assert recorded() == {(None, "unknown_source", "nobody49", "", 50)}


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 1000])
def test_foreign_names_can_be_stored_whatever_they_are(agent: Agent, name: str) -> None:
    assert agent.upload(batch(name, a=[1])).status_code == 200
    assert agent.upload(batch(**{name: ["no number"]})).status_code == 200
    assert Refusal.objects.count() == 2


def test_what_is_accepted_leaves_no_trace_and_costs_no_query(agent: Agent) -> None:
    agent.upload(batch(a=[1]))
    with CaptureQueriesContext(connection) as queries:
        agent.upload(batch(a=[1]))
    assert not any("refusal" in query["sql"] for query in queries)
    assert recorded() == set()


def test_houses_are_kept_apart(agent: Agent, other_agent: Agent, house_b: House) -> None:
    agent.upload(batch("nobody", a=[1]))
    other_agent.upload(batch("nobody", a=[1, 2], at=[NOW_MS, NOW_MS - 1]))
    assert Refusal.objects.get(house=house_b).count == 2
