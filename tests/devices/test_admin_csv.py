"""Houses and devices taken out as files and brought in again."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.devices.models import Device, EdgeUnit
from apps.devices.mutations import create_device
from apps.houses.models import House
from tests.devices.conftest import CONFIG, PASSWORD
from tests.people import AsUser, person

DEVICES, HOUSES = "devices_device", "houses_house"


@pytest.fixture
def client(alice: User, as_user: AsUser) -> Client:
    """Alice's: the operator of house A."""
    return as_user(alice)


def exported(client: Client, model: str) -> list[dict[str, str]]:
    answer = client.get(reverse(f"admin:{model}_export_csv"))
    assert answer["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def bring(client: Client, model: str, rows: list[dict[str, str]] | str) -> Any:
    """Import rows, or a text as it is."""
    if not isinstance(rows, str):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        rows = text.getvalue()
    file = SimpleUploadedFile("rows.csv", rows.encode(), "text/csv")
    return client.post(reverse(f"admin:{model}_import_csv"), {"file": file})


def faults(answer: Any) -> list[tuple[int, str]]:
    assert answer.status_code == 200
    return [(fault.line, fault.column) for fault in answer.context["faults"]]


def row(**changed: str) -> dict[str, str]:
    settings = json.dumps(CONFIG)
    return {"house": "house-a", "name": "meter", "type": "egauge", "settings": settings, **changed}


class TestExport:
    def test_it_has_all_of_a_device_but_secrets(self, client: Client, egauge: Device) -> None:
        (found,) = exported(client, DEVICES)
        settings = {name: value for name, value in CONFIG.items() if name != "password"}
        assert json.loads(found.pop("settings")) == settings
        assert list(found.values()) == ["house-a", "egauge", "", "egauge", "10", "yes"]
        assert PASSWORD not in str(exported(client, DEVICES))

    def test_only_what_is_visible_is_in_it(
        self, client: Client, egauge: Device, house_b: House, admin: User, as_user: AsUser
    ) -> None:
        create_device(house=house_b, name="foreign", type="egauge", config=CONFIG)
        assert [found["name"] for found in exported(client, DEVICES)] == ["egauge"]
        assert [found["name"] for found in exported(client, HOUSES)] == ["house-a"]
        assert len(exported(as_user(admin), DEVICES)) == len(exported(as_user(admin), HOUSES)) == 2

    def test_more_devices_take_no_more_queries_and_no_secret(
        self, client: Client, house_a: House, egauge: Device
    ) -> None:
        counts = []
        for name in ("b", "c"):
            with CaptureQueriesContext(connection) as queries:
                exported(client, DEVICES)
            counts.append(len(queries))
            assert not any("secrets" in query["sql"] for query in queries.captured_queries)
            create_device(house=house_a, name=name, type="egauge", config=CONFIG)
        assert counts[0] == counts[1]


class TestImportOfDevices:
    def test_what_was_exported_changes_nothing(self, client: Client, egauge: Device) -> None:
        assert bring(client, DEVICES, exported(client, DEVICES)).status_code == 302
        assert Device.objects.get().full_config() == CONFIG
        assert EdgeUnit.objects.get().config_version == 1

    def test_new_ones_are_added_and_known_ones_changed(
        self, client: Client, egauge: Device, alice: User
    ) -> None:
        rows = [row(name="egauge", interval_s="60", enabled="no"), row(interval_s="5", enabled="")]
        assert bring(client, DEVICES, rows).status_code == 302
        found = {device.source.name: device for device in Device.objects.all()}
        assert {name: device.interval_s for name, device in found.items()} == {"egauge": 60, "meter": 5}
        assert not found["egauge"].source.enabled
        assert found["meter"].full_config() == CONFIG
        assert found["meter"].history.latest().history_user == alice

    def test_faults_are_told_by_line_and_column_and_nothing_is_saved(self, client: Client) -> None:
        rows = [
            row(),
            row(name="a b"),
            row(name="x", settings="{"),
            row(name="x", settings='{"ip": "192.0.2.1"}'),
            row(name="x", type="toaster"),
            row(name="x", house="house-z"),
        ]
        answer = bring(client, DEVICES, rows)
        expected = [(3, "name"), (4, "settings"), (5, "settings"), (6, "type"), (7, "house")]
        assert faults(answer) == expected
        assert "keys: is required" in answer.content.decode()
        assert not Device.objects.exists()

    @pytest.mark.parametrize(
        ("changed", "column"),
        [
            ({"interval_s": "soon"}, "interval_s"),
            ({"interval_s": "0"}, "interval_s"),
            ({"enabled": "x"}, "enabled"),
        ],
    )
    def test_a_cell_that_cannot_be_is_told(
        self, client: Client, egauge: Device, changed: dict[str, str], column: str
    ) -> None:
        assert faults(bring(client, DEVICES, [row(name="egauge", **changed)])) == [(2, column)]

    def test_the_type_of_a_device_stays(self, client: Client, egauge: Device) -> None:
        assert faults(bring(client, DEVICES, [row(name="egauge", type="sonnen")])) == [(2, "type")]

    def test_houses_one_does_not_see_do_not_exist(self, client: Client, house_b: House) -> None:
        create_device(house=house_b, name="foreign", type="egauge", config=CONFIG)
        rows = [row(house="house-b", interval_s="99"), row(house="house-b", name="foreign", interval_s="99")]
        assert faults(bring(client, DEVICES, rows)) == [(2, "house"), (3, "house")]
        assert Device.objects.get().interval_s == 10

    def test_a_file_that_is_none_is_told(self, client: Client, house_a: House) -> None:
        assert faults(bring(client, DEVICES, "colour\nred\n")) == [(1, "colour")]
        assert client.post(reverse(f"admin:{DEVICES}_import_csv")).status_code == 200


class TestImportOfHouses:
    def test_new_ones_are_added_and_known_ones_changed(
        self, client: Client, house_a: House, alice: User
    ) -> None:
        rows = [
            {"name": "house-a", "label": "The mill", "latitude": "50.5", "enabled": "no"},
            {"name": "dune", "label": "", "latitude": "", "enabled": ""},
        ]
        assert bring(client, HOUSES, rows).status_code == 302
        house_a.refresh_from_db()
        assert (str(house_a), house_a.latitude, house_a.enabled) == ("The mill", 50.5, False)
        assert house_a.time_zone == "Europe/Brussels"  # no column, no change
        assert House.objects.visible_to(alice).filter(name="dune").exists()

    def test_faults_are_told_by_line_and_column(self, client: Client, house_b: House) -> None:
        rows = [
            {"name": "house-b", "latitude": "1", "time_zone": "UTC"},
            {"name": "x", "latitude": "north", "time_zone": "UTC"},
            {"name": "y", "latitude": "91", "time_zone": "Moon/Base"},
        ]
        found = sorted(faults(bring(client, HOUSES, rows)))
        assert found == [(2, "name"), (3, "latitude"), (4, "latitude"), (4, "time_zone")]
        assert not House.objects.filter(name__in=["x", "y"]).exists()


@pytest.mark.parametrize("model", [DEVICES, HOUSES])
class TestAccess:
    def test_homeowners_take_and_bring_nothing(
        self, bob: User, ann: User, as_user: AsUser, model: str
    ) -> None:
        for person_ in (bob, ann):
            for action in ("export_csv", "import_csv"):
                address = reverse(f"admin:{model}_{action}")
                assert as_user(person_).get(address).status_code == 403
                assert as_user(person_).post(address).status_code == 403

    def test_visitors_log_in_first(self, db: None, model: str) -> None:
        for action in ("export_csv", "import_csv"):
            address = reverse(f"admin:{model}_{action}")
            assert Client().get(address)["Location"].startswith("/accounts/login/")

    def test_a_post_needs_the_token_against_forgery(self, alice: User, model: str) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
        assert bring(strict, model, "name\nx\n").status_code == 403

    def test_the_list_offers_both(self, client: Client, model: str) -> None:
        text = client.get(reverse(f"admin:{model}_changelist")).content.decode()
        for action in ("export_csv", "import_csv"):
            assert reverse(f"admin:{model}_{action}") in text


def test_an_operator_without_houses_gets_an_empty_file(db: None, as_user: AsUser) -> None:
    nobody = as_user(person("olga", Role.OPERATOR))
    assert (exported(nobody, DEVICES), exported(nobody, HOUSES)) == ([], [])
