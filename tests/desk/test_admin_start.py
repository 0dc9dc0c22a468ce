"""The admin's first page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from model_bakery import baker
from numpy import array
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.alerts.kinds import Kind
from apps.alerts.models import Watch
from apps.alerts.mutations import open_or_renew
from apps.desk.start import HouseState, house_states
from apps.devices.models import Device, EdgeUnit
from apps.houses.models import House
from apps.readings.models import Namespace, Series, Source
from apps.readings.store import Block, Upload, append
from tests.people import AsUser

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def device(house: House, name: str, *, interval_s: int = 10, enabled: bool = True) -> Device:
    source = baker.make(Source, house=house, name=name, enabled=enabled)
    return baker.make(Device, source=source, type="egauge", interval_s=interval_s)


def heard(device: Device, at: datetime) -> None:
    stamps = array([int(at.timestamp() * 1000)])
    block = Block(fields=("power",), stamps=stamps, values=array([[1.0]]))
    append([Upload(source_id=device.pk, blocks=(block,))], received_at=at)


def heard_all_day(device: Device, at: datetime) -> None:
    """It is used to deliver every few minutes, and did so last then."""
    heard(device, at)
    stamp = int(at.timestamp() * 1000)
    pauses = {str(stamp // 86_400_000): 0}
    baker.make(Watch, source=device.source, newest=stamp, heard_at=stamp, arrivals=9, pauses=pauses)


def state(user: User) -> HouseState:
    [found] = house_states(user, NOW)
    return found


def test_a_house_without_devices_is_empty(alice: User) -> None:
    assert state(alice).verdict == "empty"


def test_a_house_with_a_device_never_heard_of_is_waiting(alice: User, house_a: House) -> None:
    device(house_a, "egauge")
    assert (state(alice).verdict, state(alice).last_reading) == ("waiting", None)


def test_a_house_whose_devices_all_speak_is_good(alice: User, house_a: House) -> None:
    heard(device(house_a, "egauge"), NOW - MINUTE)
    heard(device(house_a, "sonnen"), NOW - 2 * MINUTE)
    found = state(alice)
    assert (found.verdict, found.devices, found.last_reading) == ("good", 2, NOW - MINUTE)


@pytest.mark.parametrize(
    ("interval_s", "age", "silent"),
    [(10, 5 * MINUTE, False), (10, 6 * MINUTE, True), (900, 45 * MINUTE, False), (900, 46 * MINUTE, True)],
)
def test_a_device_is_silent_after_three_missed_readings_but_not_within_five_minutes(
    alice: User, house_a: House, interval_s: int, age: timedelta, silent: bool
) -> None:
    found = device(house_a, "egauge", interval_s=interval_s)
    Series.objects.create(source=found.source, field="power", cadence=interval_s)
    heard_all_day(found, NOW - age)
    assert [silence.device for silence in state(alice).silent] == ([found.source] if silent else [])
    assert state(alice).verdict == ("silent" if silent else "good")


def test_who_uploads_a_day_at_once_is_not_silent_meanwhile(alice: User, house_a: House) -> None:
    daily = device(house_a, "linky")
    heard(daily, NOW - timedelta(hours=20))
    assert state(alice).verdict == "good"
    assert house_states(alice, NOW + timedelta(hours=7))[0].silent[0].device == daily.source


def test_a_disabled_device_is_not_missed(alice: User, house_a: House) -> None:
    heard(device(house_a, "egauge"), NOW)
    device(house_a, "sonnen", enabled=False)
    assert (state(alice).verdict, state(alice).devices) == ("good", 1)


def test_a_disabled_house_is_not_missed(alice: User, house_a: House) -> None:
    device(house_a, "egauge")
    House.objects.update(enabled=False)
    assert state(alice).verdict == "disabled"


def test_the_worst_comes_first(admin: User, house_a: House, house_b: House) -> None:
    heard(device(house_a, "egauge"), NOW)
    heard_all_day(device(house_b, "egauge"), NOW - 10 * MINUTE)
    assert [found.house for found in house_states(admin, NOW)] == [house_b, house_a]


def test_an_operator_sees_their_houses_only(
    alice: User, house_a: House, house_b: House, as_user: AsUser
) -> None:
    text = as_user(alice).get(reverse("admin:index")).content.decode()
    assert "House A" in text
    assert "House B" not in text


def overview(client: Client) -> str:
    """What the page says, with single spaces and its links."""
    return " ".join(client.get(reverse("admin:index")).content.decode().split())


@pytest.fixture
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.mark.usefixtures("at_noon")
def test_the_page_says_what_is_wrong_and_leads_on(alice: User, house_a: House, as_user: AsUser) -> None:
    silent = device(house_a, "egauge")
    heard_all_day(silent, NOW - 10 * MINUTE)
    text = overview(as_user(alice))
    for part in (
        "1 device silent",
        "egauge</a> silent for 10 min",
        "Last reading 10 min ago",
        "Agent never heard",
        reverse("admin:devices_device_change", args=[silent.pk]),
        "Europe/Brussels",
        reverse("house", args=[house_a.pk]),
        reverse("admin:houses_house_change", args=[house_a.pk]),
    ):
        assert part in text


@pytest.mark.usefixtures("at_noon")
def test_a_few_seconds_are_just_now(alice: User, house_a: House, as_user: AsUser) -> None:
    heard(device(house_a, "egauge"), NOW - timedelta(seconds=59))
    text = overview(as_user(alice))
    assert "Last reading just now" in text
    assert "1 device heard" in text


@pytest.mark.usefixtures("at_noon")
def test_several_devices_are_spoken_of_as_several(alice: User, house_a: House, as_user: AsUser) -> None:
    heard(device(house_a, "egauge"), NOW)
    heard(device(house_a, "sonnen"), NOW)
    assert "All 2 devices heard" in overview(as_user(alice))
    heard(device(house_a, "powerflex"), NOW - timedelta(days=3))
    assert "1 of 3 devices silent" in overview(as_user(alice))


def test_a_house_without_devices_leads_to_adding_one_to_it(
    alice: User, house_a: House, as_user: AsUser
) -> None:
    assert f"{reverse('admin:devices_device_add')}?house={house_a.pk}" in overview(as_user(alice))


@pytest.mark.usefixtures("at_noon")
def test_a_waiting_house_says_whether_its_agent_was_heard(
    alice: User, house_a: House, as_user: AsUser
) -> None:
    device(house_a, "egauge")
    unit = baker.make(EdgeUnit, house=house_a, last_seen_at=None)
    text = overview(as_user(alice))
    assert "Agent never heard" in text
    assert "Start the agent" in text

    unit.last_seen_at = NOW - 2 * MINUTE
    unit.save(update_fields=["last_seen_at"])
    text = overview(as_user(alice))
    assert "Agent heard 2 min ago" in text
    assert "Start the agent" not in text


def test_without_a_house_it_says_what_to_do_next(admin: User, as_user: AsUser) -> None:
    text = as_user(admin).get(reverse("admin:index")).content.decode()
    assert "No house yet" in text
    assert reverse("admin:houses_house_add") in text


def test_a_house_whose_devices_speak_may_still_have_alerts(
    alice: User, house_a: House, as_user: AsUser
) -> None:
    heard(device(house_a, "egauge"), NOW)
    alert = open_or_renew(house=house_a, kind=Kind.CLOCK, evidence={"offset_s": 40}, at=NOW)
    assert state(alice).verdict == "alert"
    with time_machine.travel(NOW, tick=False):
        text = overview(as_user(alice))
    assert "1 alert" in text
    assert f'<a href="{reverse("admin:alerts_alert_change", args=[alert.pk])}">' in text
    assert "The agent&#x27;s clock is 40 s ahead" in text


def test_a_house_that_loggers_read_is_not_empty(house_a: House, alice: User, as_user: AsUser) -> None:
    meter = Source.objects.create(house=house_a, namespace=Namespace.METER, name="roof")
    assert state(alice).verdict == "waiting"
    stamps = array([int(NOW.timestamp() * 1000)])
    append([Upload(meter.pk, (Block(("power",), stamps, array([[1.0]])),))], received_at=NOW)
    assert (state(alice).verdict, state(alice).last_reading) == ("good", NOW)
    with time_machine.travel(NOW, tick=False):
        assert "1 meter read" in overview(as_user(alice))


def test_it_takes_few_queries_however_many_houses_there_are(
    admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        house = House.objects.create(name=f"house-{number}")
        for name in ("egauge", "sonnen"):
            heard(device(house, name), NOW)
    with django_assert_num_queries(6):
        assert len(house_states(admin, NOW + timedelta(days=3))) == 12


def test_the_whole_page_takes_few_queries(
    admin: User, as_user: AsUser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        device(House.objects.create(name=f"house-{number}"), "egauge")
    client: Client = as_user(admin)
    with django_assert_max_num_queries(8):
        client.get(reverse("admin:index"))
