"""Creating and changing devices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connections

from apps.accounts.models import User
from apps.devices.models import Device, EdgeUnit
from apps.devices.mutations import create_device, update_device
from apps.houses.models import House
from apps.readings.models import Namespace, Series, Source
from tests.devices.conftest import CONFIG, PASSWORD

pytestmark = pytest.mark.django_db


def version(house: House) -> int:
    unit = EdgeUnit.objects.filter(house=house).first()
    return unit.config_version if unit else 0


def errors(failure: pytest.ExceptionInfo[ValidationError]) -> dict[str, list[str]]:
    return failure.value.message_dict


class TestCreate:
    def test_a_device_is_a_source_with_its_declared_series(self, house_a: House) -> None:
        device = create_device(
            house=house_a, name="egauge", type="egauge", config=CONFIG, interval_s=5, label="Meter"
        )
        source = Source.objects.get(house=house_a, name="egauge")
        assert (device.source, source.namespace, source.label) == (source, Namespace.DEVICE, "Meter")
        declared = Series.objects.filter(source=source).values_list(
            "field", "unit", "kind", "cadence", "sign"
        )
        assert set(declared) == {
            ("A.Solar", "kW", "interval", 5.0, "+ = generation"),
            ("A.Load", "kW", "interval", 5.0, "− = consumption"),
        }

    def test_secrets_are_put_apart(self, egauge: Device) -> None:
        assert egauge.secrets == {"password": PASSWORD}
        assert "password" not in egauge.config
        assert egauge.full_config() == CONFIG

    def test_who_created_it_is_in_the_history(self, house_a: House, alice: User) -> None:
        device = create_device(house=house_a, name="egauge", type="egauge", config=CONFIG, by=alice)
        record = device.history.get()
        assert (record.history_user, record.history_change_reason) == (alice, "created")

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"keys": ["A"]}, "ip: is required"),
            ({**CONFIG, "ip": 5}, "ip: expected str, got int"),
            ({**CONFIG, "colour": "red"}, "colour: is not a setting of egauge"),
            ({**CONFIG, "keys": []}, "keys: "),
            ({**CONFIG, "password": ""}, "password: "),
            ({**CONFIG, "username": "a\0b"}, "no JSON object"),
            ({**CONFIG, "username": "\ud800"}, "no JSON object"),
            ([], "no JSON object"),
        ],
    )
    def test_a_config_that_does_not_fit_is_refused_naming_the_setting(
        self, house_a: House, config: Any, message: str
    ) -> None:
        with pytest.raises(ValidationError) as failure:
            create_device(house=house_a, name="egauge", type="egauge", config=config)
        (text,) = errors(failure)["config"]
        assert message in text
        assert not Source.objects.exists()
        assert version(house_a) == 0

    @pytest.mark.parametrize("kind", ["toaster", "", "../egauge", "contract"])
    def test_an_unknown_type_is_refused(self, house_a: House, kind: str) -> None:
        with pytest.raises(ValidationError) as failure:
            create_device(house=house_a, name="x", type=kind, config={})
        assert set(errors(failure)) == {"type"}

    @pytest.mark.parametrize(
        "name", ["", "1x", "a b", "a.b", "analytics", "events", "PI", "E", "é", "x" * 65]
    )
    def test_a_name_that_formulas_cannot_use_is_refused(self, house_a: House, name: str) -> None:
        with pytest.raises(ValidationError) as failure:
            create_device(house=house_a, name=name, type="egauge", config=CONFIG)
        assert set(errors(failure)) == {"name"}

    @pytest.mark.parametrize("interval", [0, -1, 10**12])
    def test_an_interval_that_cannot_be_is_refused(self, house_a: House, interval: int) -> None:
        with pytest.raises(ValidationError) as failure:
            create_device(house=house_a, name="x", type="egauge", config=CONFIG, interval_s=interval)
        assert set(errors(failure)) == {"interval_s"}

    @pytest.mark.parametrize("namespace", [Namespace.DEVICE, Namespace.METER])
    def test_a_name_is_used_once_in_a_house(
        self, house_a: House, house_b: House, namespace: Namespace
    ) -> None:
        Source.objects.create(house=house_a, namespace=namespace, name="egauge")
        with pytest.raises(ValidationError):
            create_device(house=house_a, name="egauge", type="egauge", config=CONFIG)
        create_device(house=house_b, name="egauge", type="egauge", config=CONFIG)

    @pytest.mark.django_db(transaction=True)
    def test_of_two_who_take_a_name_at_once_one_gets_it(self, house_a: House) -> None:
        def take(_: int) -> bool:
            try:
                create_device(house=house_a, name="egauge", type="egauge", config=CONFIG)
            except ValidationError:
                return False
            else:
                return True
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(take, range(4))) == [False, False, False, True]
        assert version(house_a) == 1


class TestUpdate:
    @pytest.mark.parametrize("shown", [{"password": ""}, {}])
    def test_a_secret_left_empty_or_out_stays(self, egauge: Device, shown: dict[str, str]) -> None:
        config = {name: value for name, value in CONFIG.items() if name != "password"}
        device = update_device(device=egauge, config={**config, "ip": "192.0.2.8", **shown})
        assert device.full_config() == {**CONFIG, "ip": "192.0.2.8"}

    def test_a_new_secret_replaces_the_old_one(self, egauge: Device) -> None:
        update_device(device=egauge, config={**CONFIG, "password": "new"})
        assert Device.objects.get().secrets == {"password": "new"}

    def test_null_removes_a_secret(self, egauge: Device) -> None:
        update_device(device=egauge, config={**CONFIG, "username": None, "password": None})
        assert Device.objects.get().secrets == {}

    def test_what_is_not_given_stays(self, egauge: Device) -> None:
        device = update_device(device=egauge, label="Meter")
        assert (device.interval_s, device.full_config(), device.source.enabled) == (10, CONFIG, True)
        assert Source.objects.get().label == "Meter"

    def test_a_bad_config_changes_nothing(self, egauge: Device, house_a: House) -> None:
        with pytest.raises(ValidationError):
            update_device(device=egauge, config={"ip": "192.0.2.8"}, interval_s=99, label="x")
        device = Device.objects.get()
        assert (device.full_config(), device.interval_s, device.source.label) == (CONFIG, 10, "")
        assert version(house_a) == 1

    def test_switching_off_is_the_sources_switch_and_on_record(self, egauge: Device, alice: User) -> None:
        update_device(device=egauge, enabled=False, by=alice)
        assert Source.objects.get().enabled is False
        record = egauge.history.first()
        assert (record.history_user, record.history_change_reason) == (alice, "disabled")

    def test_new_registers_and_intervals_are_declared(self, egauge: Device) -> None:
        update_device(device=egauge, config={**CONFIG, "keys": ["A.Solar", "A.EV"]}, interval_s=60)
        cadences = dict(Series.objects.values_list("field", "cadence"))
        assert cadences == {"A.Solar": 60.0, "A.EV": 60.0, "A.Load": 10.0}

    def test_a_series_never_changes_its_unit(self, egauge: Device) -> None:
        keys = [{"name": "A.Solar", "quantity": "voltage"}]
        with pytest.raises(ValidationError) as failure:
            update_device(device=egauge, config={**CONFIG, "keys": keys})
        assert "A.Solar" in errors(failure)["config"][0]

    def test_a_stale_object_does_not_undo_what_others_changed(self, egauge: Device) -> None:
        stale = Device.objects.get()
        update_device(device=egauge, interval_s=30)
        assert update_device(device=stale, label="x").interval_s == 30


class TestVersion:
    def test_every_change_of_the_list_counts(self, egauge: Device, house_a: House) -> None:
        assert version(house_a) == 1
        update_device(device=egauge, interval_s=30)
        update_device(device=egauge, config={**CONFIG, "ip": "192.0.2.8"})
        update_device(device=egauge, config={**CONFIG, "password": "new"})
        update_device(device=egauge, enabled=False)
        assert version(house_a) == 5

    def test_what_the_agent_does_not_see_does_not_count(self, egauge: Device, house_a: House) -> None:
        update_device(device=egauge, label="Meter")
        update_device(device=egauge, config=CONFIG, interval_s=10, enabled=True)
        assert version(house_a) == 1

    def test_houses_count_for_themselves(self, egauge: Device, house_b: House) -> None:
        assert version(house_b) == 0


class TestVisibility:
    def test_devices_are_seen_by_those_of_their_house(
        self, egauge: Device, alice: User, bob: User, charlie: User, admin: User
    ) -> None:
        seen = {user.name: Device.objects.visible_to(user).exists() for user in (alice, bob, charlie, admin)}
        assert seen == {"Alice": True, "Bob": True, "Charlie": False, "Admin": True}
