"""The energy of today on a house's page."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.analytics.reports.panel import panel_context, panel_live
from apps.houses.models import House
from tests.analytics.reports.conftest import MIDNIGHT
from tests.devices.test_chart import HOUR, feed, meter


def test_the_day_so_far_is_told_by_flow(metered: House, bob: User, noon: datetime) -> None:
    context = panel_context(metered, bob, noon)

    assert context is not None
    assert {one["flow"].item: one["text"] for one in context["amounts"]} == {
        "solar": "12.0",
        "grid_import": "0.00",
        "load": "6.00",
        "grid_export": "6.00",
    }


def test_the_ring_shows_where_energy_came_from(metered: House, bob: User, noon: datetime) -> None:
    ring = panel_live(metered, bob, noon).data()["today"]["ring"]

    assert (ring["labels"], ring["values"]) == (["Sun", "From the grid"], [pytest.approx(12), 0])


def test_what_was_not_measured_is_said(house_a: House, bob: User, noon: datetime, metered: House) -> None:
    late = noon + timedelta(hours=12, minutes=-1)

    rows = panel_live(metered, bob, late).data()["today"]["rows"]

    assert {row["note"] for row in rows} == {"50 % measured"}


def test_a_house_without_items_has_no_panel(house_a: House, bob: User, noon: datetime) -> None:
    assert panel_context(house_a, bob, noon) is None
    assert panel_live(house_a, bob, noon).data() == {}


def test_asking_again_within_the_minute_costs_no_query(
    metered: House, bob: User, noon: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = panel_live(metered, bob, noon)

    with django_assert_num_queries(0):
        again = panel_live(metered, bob, noon + timedelta(seconds=59))

    assert again.version == first.version


def test_the_version_changes_with_the_numbers(metered: House, bob: User, noon: datetime) -> None:
    before = panel_live(metered, bob, noon).version
    device = meter(metered, "second", "A.Solar")
    feed(device, MIDNIGHT, MIDNIGHT + HOUR, Solar=1.0)
    feed(metered.sources.get(name="egauge").device, MIDNIGHT + 12 * HOUR, MIDNIGHT + 13 * HOUR, Solar=1.0)

    assert panel_live(metered, bob, noon + timedelta(hours=1)).version != before
