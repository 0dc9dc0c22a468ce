"""Voltage and frequency of the mains: which lines there are, what they show, and what is said of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go
import pytest

from apps.accounts.models import User
from apps.devices import supply
from apps.devices.models import Device
from apps.devices.mutations import create_device, update_device
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Series

MINUTE = 60_000
NOON = datetime(2026, 6, 1, 12, tzinfo=ZoneInfo("Europe/Brussels"))
NOW = int(NOON.timestamp() * 1000)
KEYS = ["A.L1_Voltage", "A.L2_Voltage", "A.L1_Frequency", "A.L2_Frequency", "A.Load"]


def meter(house: House, name: str = "meter", *keys: str) -> Device:
    config = {"ip": "192.0.2.7", "keys": list(keys or KEYS)}
    return create_device(house=house, name=name, type="egauge", config=config)


def feed(device: Device, minutes: int = 60, **values: float) -> None:
    """Means of a minute each in the hour before noon, oldest first; only the first `minutes` of them."""
    stamps = np.arange(NOW - 59 * MINUTE, NOW + 1, MINUTE, dtype=np.int64)[:minutes]
    fields = {f"A.{name}": value for name, value in values.items()} | {"_length": float(MINUTE)}
    table = np.repeat(np.array([[value] for value in fields.values()]), stamps.size, axis=1)
    upload = store.Upload(device.pk, (store.Block(tuple(fields), stamps, table),))
    store.append([upload], received_at=NOON.astimezone(UTC))


def names(house: House) -> list[str]:
    return [str(one) for one in supply.series_of(house)]


def drawn(house: House) -> dict[str, Any]:
    return supply.today(house, supply.series_of(house), now=NOW)


class TestLines:
    def test_voltages_and_one_frequency_of_the_device_that_measures_both(self, house_a: House) -> None:
        meter(house_a, "a", "A.L1_Voltage")
        meter(house_a, "b")
        assert names(house_a) == ["b.A.L1_Voltage", "b.A.L2_Voltage", "b.A.L1_Frequency"]

    def test_where_none_measures_both_the_first_device_serves(self, house_a: House) -> None:
        meter(house_a, "b", "A.L1_Frequency")
        meter(house_a, "a", "A.L1_Voltage")
        assert names(house_a) == ["a.A.L1_Voltage"]

    def test_a_disabled_device_measures_nothing(self, house_a: House) -> None:
        update_device(device=meter(house_a), enabled=False, by=None)
        assert names(house_a) == []

    def test_other_houses_have_their_own(self, house_a: House, house_b: House) -> None:
        meter(house_b)
        assert names(house_a) == []

    def test_there_are_six_voltages_at_most(self, house_a: House) -> None:
        meter(house_a, "meter", *(f"A.V{number}_Voltage" for number in range(9)))
        assert len(names(house_a)) == 6

    def test_names_are_read_as_words(self) -> None:
        assert supply.name_of(Series(field="A.L1_Voltage")) == "L1 Voltage"
        assert supply.name_of(Series(field="voltage")) == "voltage"


class TestChart:
    def test_means_of_five_minutes_from_midnight_on_two_axes(self, house_a: House) -> None:
        feed(meter(house_a), L1_Voltage=231.04, L1_Frequency=50.0312, L2_Voltage=229.0)
        figure = drawn(house_a)["figure"]
        voltage, other, frequency = figure["data"]
        assert (voltage["name"], voltage["yaxis"], voltage["meta"]["line"]) == ("L1 Voltage", "y", 0)
        assert (frequency["yaxis"], frequency["y"][-2], other["y"][-2]) == ("y2", 50.031, 229.0)
        assert voltage["y"][-2] == 231.0
        assert (voltage["text"][0], voltage["text"][-1]) == ("00:00", "12:00")
        assert voltage["y"][0] is None
        go.Figure(figure)

    def test_what_is_below_eighty_volts_is_no_mains(self, house_a: House) -> None:
        feed(meter(house_a), L1_Voltage=231.0, L2_Voltage=51.2, L1_Frequency=50.0)
        assert [trace["name"] for trace in drawn(house_a)["figure"]["data"]] == ["L1 Voltage", "L1 Frequency"]

    def test_before_the_first_reading_all_lines_are_there_and_empty(self, house_a: House) -> None:
        meter(house_a)
        answer = drawn(house_a)
        assert len(answer["figure"]["data"]) == 3
        assert answer["summary"] == ""

    def test_what_is_drawn_is_said_as_well(self, house_a: House) -> None:
        device = meter(house_a)
        feed(device, L1_Voltage=231.04, L1_Frequency=50.03)
        feed(device, 20, L1_Voltage=226.5)
        assert drawn(house_a)["summary"] == "Today's voltage 226.5 to 231.0 V, frequency 50.03 to 50.03 Hz."


class TestPanel:
    def test_there_is_none_where_nothing_measures_the_mains(self, bob: User, house_a: House) -> None:
        meter(house_a, "meter", "A.Load")
        assert supply.panel_context(house_a, bob, NOON) is None
        assert supply.panel_live(house_a, bob, NOON).data() == {"supply": None}

    def test_it_names_its_lines(self, bob: User, house_a: House) -> None:
        meter(house_a)
        context = supply.panel_context(house_a, bob, NOON)
        assert context
        assert [line["name"] for line in context["lines"]] == ["L1 Voltage", "L2 Voltage", "L1 Frequency"]

    def test_it_is_new_when_something_arrives_and_when_the_day_ends(self, bob: User, house_a: House) -> None:
        device = meter(house_a)
        first = supply.panel_live(house_a, bob, NOON).version
        assert supply.panel_live(house_a, bob, NOON.replace(hour=13)).version == first
        feed(device, L1_Voltage=231.0)
        second = supply.panel_live(house_a, bob, NOON).version
        assert len({first, second, supply.panel_live(house_a, bob, NOON.replace(day=2)).version}) == 3


@pytest.mark.django_db
def test_a_house_without_devices_has_no_lines(house_a: House) -> None:
    assert supply.series_of(house_a) == []
