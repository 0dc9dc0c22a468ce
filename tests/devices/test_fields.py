"""Secrets at rest."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection, connections

from apps.devices.fields import EncryptedJSONField, decrypt, encrypt
from apps.devices.models import Device
from apps.devices.mutations import update_device
from tests.devices.conftest import PASSWORD

SECRETS = {"password": PASSWORD}


def at_rest(device: Device) -> str:
    """What the database holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM devices_device WHERE source_id = %s", [device.pk])
        (token,) = cursor.fetchone()
    return str(token)


def everything_at_rest() -> str:
    """All rows of all tables of devices and readings, as text."""
    with connection.cursor() as cursor:
        tables = [
            t for t in connection.introspection.table_names(cursor) if t.startswith(("devices", "reading"))
        ]
        rows = []
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} AS t")  # noqa: S608
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows)


def test_the_database_holds_only_ciphertext(egauge: Device) -> None:
    update_device(device=egauge, interval_s=20)
    assert at_rest(egauge).startswith("gAAAA")
    assert PASSWORD not in everything_at_rest()
    assert "192.0.2.7" in everything_at_rest()  # so the search above finds what is there


def test_who_loads_a_device_gets_its_secrets(egauge: Device) -> None:
    assert Device.objects.get().secrets == SECRETS
    assert Device.objects.get().full_config()["password"] == PASSWORD


def test_two_encryptions_of_the_same_differ() -> None:
    assert encrypt(SECRETS) != encrypt(SECRETS)


@pytest.mark.parametrize("value", [{}, {"a": [1, 2.5, None, True, "ü"]}, {"a": {"b": "c"}}, {"a": ""}])
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert decrypt(encrypt(value)) == value


def test_secrets_are_in_no_history(egauge: Device) -> None:
    update_device(device=egauge, interval_s=20)
    records = egauge.history.all()
    assert len(records) == 2
    assert not any(hasattr(record, "secrets") for record in records)


def test_secrets_are_in_no_text_of_a_device(egauge: Device) -> None:
    assert PASSWORD not in f"{egauge!r} {egauge}"


def test_an_export_holds_only_ciphertext_and_can_be_loaded(egauge: Device) -> None:
    text = serializers.serialize("json", [egauge])
    assert PASSWORD not in text
    (loaded,) = serializers.deserialize("json", text)
    assert loaded.object.secrets == SECRETS


@pytest.mark.parametrize(
    "lookup", ["secrets", "secrets__contains", "secrets__isnull", "secrets__password", "secrets__in"]
)
def test_searching_by_secrets_is_refused_in_words(egauge: Device, lookup: str) -> None:
    with pytest.raises(FieldError, match="secrets is encrypted"):
        Device.objects.filter(**{lookup: True}).exists()


class TestRotation:
    def test_an_old_key_still_decrypts_and_the_new_one_encrypts(self, egauge: Device, settings: Any) -> None:
        old, new = settings.FIELD_KEYS[0], Fernet.generate_key().decode()
        settings.FIELD_KEYS = [new, old]
        device = Device.objects.get()
        assert device.secrets == SECRETS
        device.save()
        settings.FIELD_KEYS = [new]
        assert Device.objects.get().secrets == SECRETS
        settings.FIELD_KEYS = [old]
        with pytest.raises(ImproperlyConfigured, match="FIELD_KEYS"):
            Device.objects.get()

    def test_the_error_tells_nothing_of_what_it_could_not_read(self, egauge: Device, settings: Any) -> None:
        token = at_rest(egauge)
        settings.FIELD_KEYS = [Fernet.generate_key().decode()]
        with pytest.raises(ImproperlyConfigured) as failure:
            Device.objects.get()
        assert token not in str(failure.value)


def test_threads_share_the_field_and_no_state(egauge: Device) -> None:
    """Forms that are saved and rows that are read at the same time get what is theirs."""
    field = Device._meta.get_field("secrets")
    assert isinstance(field, EncryptedJSONField)
    before = dict(vars(field))

    def read(number: int) -> bool:
        own = {"password": f"secret {number}"}
        token = field.get_prep_value(own)
        return field.clean(own, egauge) == own and field.from_db_value(token, None, None) == own

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(2_000)))
    assert vars(field) == before


@pytest.mark.django_db(transaction=True)
def test_threads_read_and_write_devices_at_once(egauge: Device) -> None:
    def work(number: int) -> Any:
        try:
            device = Device.objects.get(pk=egauge.pk)
            device.full_clean()
            if number % 4 == 0:
                device.save()
            return device.secrets
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(80))) == [SECRETS] * 80
    assert json.dumps(SECRETS) not in everything_at_rest()
