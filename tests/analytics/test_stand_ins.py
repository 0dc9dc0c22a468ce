"""Items with a role stand in, on the page of a house, for devices that have none of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.alerts.models import Watch
from apps.analytics.models import AnalyticsItem
from apps.analytics.mutations import create_item, edit_item
from apps.devices.mutations import create_device
from apps.houses.models import House
from apps.readings import dependencies, store
from apps.readings.dependencies import Reach
from apps.readings.models import Namespace, Source
from apps.readings.series import FieldSpec, declare
from tests.people import AsUser

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)  # noon in Brussels
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _at_noon() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def client(bob: User, as_user: AsUser) -> Client:
    return as_user(bob)


def meter(house: House, name: str, namespace: str = Namespace.METER) -> Source:
    source = Source.objects.create(house=house, namespace=namespace, name=name)
    declare(source=source, fields=[FieldSpec("power", "power", "kW", "gauge", 300, "")])
    return source


def read(source: Source, *values: tuple[timedelta, float]) -> None:
    """What the meter measured, by how long ago."""
    stamps = np.array([int((NOW - age).timestamp() * 1000) for age, _ in values], np.int64)
    block = store.Block(("power",), stamps, np.array([[value for _, value in values]]))
    store.append([store.Upload(source.pk, (block,))], received_at=NOW)


def item(house: House, name: str, formula: str, role: str) -> AnalyticsItem:
    return create_item(house=house, name=name, formula=formula, role=role, quantity="power", unit="kW")


def live(client: Client, house: House) -> dict[str, Any]:
    found: dict[str, Any] = client.get(reverse("house_live", args=[house.pk])).json()
    return found


def card(client: Client, house: House) -> dict[str, Any]:
    (found,) = live(client, house)["cards"]
    return dict(found)


def test_a_house_of_meters_has_cards_and_a_chart(client: Client, house_a: House) -> None:
    roof, main = meter(house_a, "roof"), meter(house_a, "main")
    read(roof, (10 * MINUTE, 2.0), (5 * MINUTE, 4.0))
    read(main, (10 * MINUTE, 3.0), (5 * MINUTE, 1.0))
    item(house_a, "solar", "roof.power", "solar")
    item(house_a, "gridpower", "main.power - roof.power", "grid")

    page = client.get(reverse("house", args=[house_a.pk])).content.decode()
    found = live(client, house_a)

    assert 'data-card="solar"' in page
    assert 'data-card="grid"' in page
    shown = {one["role"]: (one["value"], one["direction"], one["state"]) for one in found["cards"]}
    assert shown == {"solar": (4.0, "generating", "fresh"), "grid": (-3.0, "exporting", "fresh")}
    traces = {one["meta"]["role"]: one for one in found["chart"]["data"]}
    assert list(traces) == ["solar", "grid"]
    assert traces["solar"]["y"][-3:-1] == [3.0, None]  # 11:50, between the two readings, and nothing after
    assert traces["grid"]["y"][-3] == -1.0
    assert len(traces["solar"]["x"]) == len(traces["solar"]["text"]) == 12 * 12 + 1


def test_the_oldest_reading_tells_how_old_a_card_is(client: Client, house_a: House) -> None:
    roof, main = meter(house_a, "roof"), meter(house_a, "main")
    read(roof, (25 * MINUTE, 2.0))
    read(main, (MINUTE, 3.0))
    item(house_a, "load", "main.power + roof.power", "load")

    shown = card(client, house_a)

    assert (shown["value"], shown["age"], shown["state"]) == (5.0, 25 * 60_000, "stale")
    assert shown["note"] == "25 min ago"


def test_what_comes_once_a_day_is_shown_until_it_is_overdue(client: Client, house_a: House) -> None:
    roof = meter(house_a, "roof")
    item(house_a, "solar", "roof.power", "solar")
    read(roof, (timedelta(hours=20), 2.0))
    assert (card(client, house_a)["value"], card(client, house_a)["state"]) == (2.0, "stale")

    stamp = int((NOW - timedelta(hours=20)).timestamp() * 1000)
    Watch.objects.create(source=roof, newest=stamp, heard_at=stamp, arrivals=9, pauses={"20000": 3_600_000})
    with time_machine.travel(NOW + 2 * MINUTE, tick=False):  # nobody looked at it for a minute
        shown = card(client, house_a)
    assert (shown["value"], shown["state"], shown["note"]) == (None, "offline", "No reading for 20 h")


def test_a_meter_that_is_worked_out_is_overdue_with_what_it_comes_from(
    client: Client, house_a: House
) -> None:
    roof, utility = meter(house_a, "roof"), meter(house_a, "utility")
    dependencies.depend(source_id=utility.pk, inputs={roof.pk: Reach(0, 0)})
    item(house_a, "gridpower", "utility.power", "grid")
    read(utility, (timedelta(days=3), 1.0))
    read(roof, (timedelta(days=3), 1.0))
    assert card(client, house_a)["state"] == "offline"


def test_an_item_that_never_heard_of_anything_says_so(client: Client, house_a: House) -> None:
    meter(house_a, "roof")
    item(house_a, "solar", "roof.power", "solar")
    shown = card(client, house_a)
    assert (shown["value"], shown["state"], shown["note"]) == (None, "offline", "No reading yet")


def test_a_device_with_the_role_comes_first(client: Client, house_a: House) -> None:
    config = {"ip": "192.0.2.7", "keys": ["A.Solar"]}
    device = create_device(house=house_a, name="egauge", type="egauge", config=config)
    block = store.Block(("A.Solar",), np.array([int(NOW.timestamp() * 1000)]), np.array([[3.0]]))
    store.append([store.Upload(device.pk, (block,))], received_at=NOW)
    roof = meter(house_a, "roof")
    read(roof, (MINUTE, 9.0))
    item(house_a, "solar", "roof.power", "solar")
    item(house_a, "load", "roof.power", "load")
    shown = {one["role"]: one["value"] for one in live(client, house_a)["cards"]}
    assert shown == {"solar": 3.0, "load": 9.0}


def test_a_required_item_comes_before_others_of_its_role(client: Client, house_a: House) -> None:
    read(meter(house_a, "roof"), (MINUTE, 2.0))
    item(house_a, "another", "roof.power * 10", "solar")
    item(house_a, "solar", "roof.power", "solar")
    assert card(client, house_a)["value"] == 2.0


def test_items_of_what_is_disabled_or_gone_stand_in_for_nothing(client: Client, house_a: House) -> None:
    roof = meter(house_a, "roof")
    read(roof, (MINUTE, 2.0))
    item(house_a, "solar", "roof.power", "solar")
    broken = item(house_a, "load", "roof.power", "load")
    AnalyticsItem.objects.filter(pk=broken.pk).update(formula="gone.power")
    assert [one["role"] for one in live(client, house_a)["cards"]] == ["solar"]
    Source.objects.filter(pk=roof.pk).update(enabled=False)
    with time_machine.travel(NOW + 2 * MINUTE, tick=False):
        assert live(client, house_a)["cards"] == []


def test_late_readings_and_another_formula_are_a_new_answer(client: Client, house_a: House) -> None:
    roof = meter(house_a, "roof")
    read(roof, (5 * MINUTE, 2.0))
    solar = item(house_a, "solar", "roof.power", "solar")
    address = reverse("house_live", args=[house_a.pk])
    tags = [client.get(address).headers["ETag"]]
    read(roof, (10 * MINUTE, 1.0))
    tags.append(client.get(address).headers["ETag"])
    edit_item(item=solar, formula="roof.power * 1.0")
    with time_machine.travel(NOW + 2 * MINUTE, tick=False):
        tags.append(client.get(address).headers["ETag"])
        assert client.get(address, headers={"If-None-Match": tags[-1]}).status_code == 304
    assert len(set(tags)) == 3


def test_more_items_ask_the_database_little_more(
    client: Client, house_a: House, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number, role in enumerate(("solar", "load", "grid", "battery", "ev", "soc")):
        read(meter(house_a, f"meter_{number}"), (MINUTE, 2.0))
        item(house_a, f"item_{role}", f"meter_{number}.power", role)
    address = reverse("house_live", args=[house_a.pk])
    etag = client.get(address).headers["ETag"]
    with django_assert_max_num_queries(8):  # nothing happened: the items are not even looked at
        assert client.get(address, headers={"If-None-Match": etag}).status_code == 304
