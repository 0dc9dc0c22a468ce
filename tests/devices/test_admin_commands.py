"""Commands to devices in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.devices.commands import send_command
from apps.devices.models import Command, Device
from apps.devices.mutations import create_device, update_device
from apps.houses.models import House
from tests.devices.conftest import Agent
from tests.people import AsUser

pytestmark = pytest.mark.django_db

LIST = reverse("admin:devices_command_changelist")


@pytest.fixture
def client(alice: User, as_user: AsUser) -> Client:
    """Alice's: the operator of house A."""
    return as_user(alice)


def page(device: Device, action: str = "") -> str:
    asked = f"?action={action}" if action else ""
    return reverse("admin:devices_device_command", args=[device.pk]) + asked


def change(device: Device) -> str:
    return reverse("admin:devices_device_change", args=[device.pk])


def sent(device: Device, by: User | None = None) -> Command:
    return send_command(
        device=device,
        data={"action": "batt_act", "value": 200.0},
        valid_for=timedelta(minutes=5),
        now=timezone.now(),
        by=by,
    )


class TestSending:
    def test_a_device_that_takes_commands_offers_them(self, client: Client, battery: Device) -> None:
        assert page(battery) in client.get(change(battery)).content.decode()
        text = client.get(page(battery)).content.decode()
        assert "Set the mode" in text
        assert "Charge or discharge" in text

    def test_others_do_not(self, client: Client, egauge: Device) -> None:
        assert page(egauge) not in client.get(change(egauge)).content.decode()
        assert "Nothing was told to it yet" not in client.get(change(egauge)).content.decode()
        text = client.get(page(egauge)).content.decode()
        assert "Nothing can be told to it" in text
        form = {"setting_value": "1", "valid_for": "60"}
        assert "Nothing can be told to it" in client.post(page(egauge, "batt_act"), form).content.decode()
        assert not Command.objects.exists()

    def test_nor_does_one_that_is_disabled(self, client: Client, battery: Device) -> None:
        update_device(device=battery, enabled=False)
        assert page(battery) not in client.get(change(battery)).content.decode()

    def test_its_settings_are_asked_with_their_help(self, client: Client, battery: Device) -> None:
        text = client.get(page(battery, "set_mode")).content.decode()
        for words in (
            "Set the mode",
            "ends by itself",
            "Mode",
            "self-consumption",
            "Set-point",
            "discharges",
            "Valid for",
            "5 minutes",
        ):
            assert words in text

    def test_looking_at_the_form_sends_nothing(self, client: Client, battery: Device) -> None:
        client.get(page(battery, "set_mode") + "&setting_mode=manual&valid_for=60")
        assert not Command.objects.exists()

    def test_it_is_sent_by_the_form(self, client: Client, battery: Device, alice: User) -> None:
        form = {"setting_mode": "manual", "setting_value": "500", "valid_for": "60"}
        answer = client.post(page(battery, "set_mode"), form, follow=True)
        assert answer.redirect_chain == [(change(battery), 302)]
        command = Command.objects.get()
        assert command.data == {"action": "set_mode", "mode": "manual", "value": 500.0}
        assert command.expires_at - command.created_at == timedelta(minutes=1)
        assert command.created_by == alice
        assert "Set the mode: Mode manual, Set-point 500" in answer.content.decode()

    def test_an_optional_setting_may_stay_empty(self, client: Client, battery: Device) -> None:
        client.post(
            page(battery, "set_mode"), {"setting_mode": "self", "setting_value": "", "valid_for": "60"}
        )
        assert Command.objects.get().data == {"action": "set_mode", "mode": "self"}

    @pytest.mark.parametrize(
        ("changed", "field"),
        [({"setting_value": ""}, "setting_value"), ({"setting_value": "much"}, "setting_value"),
         ({"valid_for": "61"}, "valid_for"), ({"valid_for": ""}, "valid_for")],
    )  # fmt: skip
    def test_what_is_wrong_is_told_at_its_field(
        self, client: Client, battery: Device, changed: dict[str, str], field: str
    ) -> None:
        answer = client.post(page(battery, "batt_act"), {"setting_value": "1", "valid_for": "60", **changed})
        assert answer.status_code == 200
        assert set(answer.context["form"].errors) == {field}
        assert not Command.objects.exists()

    def test_what_is_refused_as_a_whole_is_told_above(self, client: Client, battery: Device) -> None:
        for _ in range(20):
            sent(battery)
        answer = client.post(page(battery, "batt_act"), {"setting_value": "1", "valid_for": "60"})
        assert "20 commands wait already" in answer.content.decode()

    def test_a_post_needs_the_token_against_forgery(self, alice: User, battery: Device) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(alice)
        form = {"setting_value": "1", "valid_for": "60"}
        assert strict.post(page(battery, "batt_act"), form).status_code == 403
        assert not Command.objects.exists()

    def test_devices_of_other_houses_do_not_exist(self, client: Client, house_b: House) -> None:
        foreign = create_device(house=house_b, name="other", type="sonnen", config={"ip": "192.0.2.9"})
        assert client.get(page(foreign)).status_code == 404
        assert (
            client.post(page(foreign, "batt_act"), {"setting_value": "1", "valid_for": "60"}).status_code
            == 404
        )
        assert not Command.objects.exists()

    def test_homeowners_have_no_admin(self, bob: User, as_user: AsUser, battery: Device) -> None:
        assert as_user(bob).post(page(battery, "batt_act")).status_code in (302, 403)
        assert not Command.objects.exists()


class TestRecord:
    def test_the_page_of_the_device_tells_what_became_of_it(
        self, client: Client, battery: Device, agent: Agent
    ) -> None:
        assert "Nothing was told to it yet" in client.get(change(battery)).content.decode()
        command = sent(battery)
        state = reverse("admin:devices_device_commands", args=[battery.pk])
        assert "waiting for the agent" in client.get(state).content.decode()
        agent.commands()
        assert "with the agent" in client.get(state).content.decode()
        agent.result(command.pk, {"state": "failed", "message": "The battery is full."})
        text = client.get(state).content.decode()
        assert "failed" in text
        assert "The battery is full." in text

    def test_the_list_tells_of_all(self, client: Client, battery: Device, alice: User) -> None:
        sent(battery, by=alice)
        text = client.get(LIST).content.decode()
        for words in ("Charge or discharge: Set-point 200", "waiting for the agent", str(alice)):
            assert words in text

    def test_its_queries_do_not_grow_with_its_rows(
        self, client: Client, battery: Device, alice: User
    ) -> None:
        counts = []
        for _ in range(2):
            sent(battery, by=alice)
            client.get(LIST)
            with CaptureQueriesContext(connection) as queries:
                client.get(LIST)
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_one_that_waits_can_be_cancelled(self, client: Client, battery: Device, agent: Agent) -> None:
        command = sent(battery)
        cancel = reverse("admin:devices_command_cancel", args=[command.pk])
        own = reverse("admin:devices_command_change", args=[command.pk])
        assert cancel in client.get(own).content.decode()
        client.get(cancel)
        assert len(agent.commands().json()) == 1
        answer: Any = client.post(cancel, {"_form_submitted": "true"})
        assert answer["Location"] == own
        assert agent.commands().json() == []
        text = client.get(own).content.decode()
        assert "cancelled" in text
        assert cancel not in text

    def test_nothing_is_added_changed_or_deleted(self, client: Client, battery: Device) -> None:
        command = sent(battery)
        for name in ("add", "delete"):
            args = [] if name == "add" else [command.pk]
            assert client.post(reverse(f"admin:devices_command_{name}", args=args)).status_code == 403
        assert Command.objects.exists()

    def test_those_of_other_houses_do_not_exist(self, client: Client, house_b: House) -> None:
        foreign = create_device(house=house_b, name="other", type="sonnen", config={"ip": "192.0.2.9"})
        command = sent(foreign)
        assert "other" not in client.get(LIST).content.decode()
        for name in ("change", "cancel"):
            url = reverse(f"admin:devices_command_{name}", args=[command.pk])
            assert client.get(url).status_code == 404

    def test_an_empty_list_says_where_commands_come_from(self, client: Client, house_a: House) -> None:
        assert "from its page" in client.get(LIST).content.decode()
