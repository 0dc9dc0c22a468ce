"""Role fields: what the drivers of a house's devices declare, matched with their series."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.devices.models import Device
from apps.devices.mutations import create_device, update_device
from apps.devices.roles import role_fields
from apps.houses.models import House
from apps.readings.models import Kind, Series


def add_egauge(house: House, name: str, *keys: str | dict[str, Any], interval_s: int = 10) -> Device:
    config = {"ip": "192.0.2.7", "keys": list(keys)}
    return create_device(house=house, name=name, type="egauge", config=config, interval_s=interval_s)


def test_fields_with_a_role_come_with_factor_and_series(house_a: House) -> None:
    device = add_egauge(house_a, "egauge", "A.Solar", "A.Load", "A.L1_Voltage")

    solar, load = role_fields(house_a)

    assert (solar.role, solar.source, solar.field, solar.factor) == ("solar", "egauge", "A.Solar", 1.0)
    assert (load.role, load.source_id, load.unit, load.factor) == ("load", device.pk, "kW", -1.0)
    assert load.series == Series.objects.get(source=device.source, field="A.Load")


def test_the_cadence_is_the_declared_one_or_else_the_devices_interval(house_a: House) -> None:
    device = add_egauge(house_a, "egauge", "A.Solar", interval_s=30)
    assert role_fields(house_a)[0].cadence == 30

    Series.objects.filter(source=device.source).update(cadence=None)
    assert role_fields(house_a)[0].cadence == 30

    Series.objects.filter(source=device.source).update(cadence=60.0)
    assert role_fields(house_a)[0].cadence == 60.0


def test_devices_of_other_houses_and_disabled_ones_are_left_out(house_a: House, house_b: House) -> None:
    add_egauge(house_b, "egauge", "A.Solar")
    update_device(device=add_egauge(house_a, "spare", "A.Solar"), enabled=False)

    assert role_fields(house_a) == []


def test_devices_come_by_name_and_fields_as_declared(house_a: House) -> None:
    add_egauge(house_a, "north", "A.Load", "A.Solar")
    add_egauge(house_a, "east", "A.Solar")

    assert [(one.source, one.role) for one in role_fields(house_a)] == [
        ("east", "solar"),
        ("north", "load"),
        ("north", "solar"),
    ]


def test_a_register_is_no_power(house_a: House) -> None:
    device = add_egauge(house_a, "egauge", "A.Solar")
    Series.objects.filter(source=device.source).update(kind=Kind.COUNTER)

    assert role_fields(house_a) == []


def test_a_device_whose_settings_no_longer_fit_does_not_hide_the_others(
    house_a: House, caplog: pytest.LogCaptureFixture
) -> None:
    broken = add_egauge(house_a, "broken", "A.Load")
    Device.objects.filter(pk=broken.pk).update(config={"address": "192.0.2.9"})
    add_egauge(house_a, "egauge", "A.Solar")

    assert [one.source for one in role_fields(house_a)] == ["egauge"]
    assert "broken" in caplog.text


def test_any_number_of_devices_takes_two_queries(
    house_a: House, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        add_egauge(house_a, f"egauge{number}", "A.Solar", "A.Load")

    with django_assert_num_queries(2):
        assert len(role_fields(house_a)) == 10
