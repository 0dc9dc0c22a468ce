"""Devices, events and agents in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.devices.models import Device, EdgeUnit, Event
from apps.devices.mutations import create_device, update_device
from apps.devices.panes import age
from apps.houses.models import House
from apps.readings.models import Source
from collectors import drivers
from tests.devices.conftest import CONFIG, NOW_MS, PASSWORD, Agent, batch
from tests.people import AsUser

LIST = reverse("admin:devices_device_changelist")
ADD = reverse("admin:devices_device_add")
SETTINGS = {
    "setting_ip": CONFIG["ip"],
    "setting_keys": "A.Solar\nA.Load",
    "setting_username": "owner",
    "setting_password": PASSWORD,
}


def page(device: Device, name: str = "change") -> str:
    return reverse(f"admin:devices_device_{name}", args=[device.pk])


@pytest.fixture
def client(alice: User, as_user: AsUser) -> Client:
    """Alice's: the operator of house A."""
    return as_user(alice)


@pytest.fixture
def foreign(house_b: House) -> Device:
    return create_device(house=house_b, name="foreign", type="egauge", config=CONFIG)


def filled(at: House, **changed: Any) -> dict[str, Any]:
    """What the add form of an eGauge sends; None leaves something out."""
    form = {"house": at.pk, "name": "egauge", "label": "", "type": "egauge", "interval_s": 10, **SETTINGS}
    return {name: value for name, value in {**form, **changed}.items() if value is not None}


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


class TestAdd:
    def test_a_device_is_added_by_the_form(self, client: Client, house_a: House, alice: User) -> None:
        answer = client.post(ADD, filled(house_a, label="Meter", interval_s=5))
        assert (answer.status_code, answer["Location"]) == (302, LIST)
        device = Device.objects.get()
        assert (str(device), device.source.house, device.interval_s) == ("Meter", house_a, 5)
        assert device.full_config() == CONFIG
        assert device.history.get().history_user == alice
        assert LogEntry.objects.get().object_repr == "Meter"
        assert EdgeUnit.objects.get(house=house_a).config_version == 1

    def test_saving_and_going_on_leads_to_its_page(self, client: Client, house_a: House) -> None:
        answer = client.post(ADD, filled(house_a, _continue="1"))
        assert answer["Location"] == page(Device.objects.get())

    def test_only_visible_houses_are_offered(self, client: Client, house_a: House, house_b: House) -> None:
        offered = client.get(f"{ADD}?type=egauge").context["adminform"].form.fields["house"].queryset
        assert list(offered) == [house_a]
        assert set(errors(client.post(ADD, filled(house_b)))) == {"house"}
        assert not Device.objects.exists()

    def test_it_begins_with_the_type(self, client: Client, house_a: House) -> None:
        text = client.get(f"{ADD}?house={house_a.pk}").content.decode()
        for kind in drivers.kinds():
            assert drivers.load(kind).TITLE in text
            assert f"{ADD}?house={house_a.pk}&amp;type={kind}" in text
        assert 'name="setting_' not in text

    def test_the_house_that_is_named_in_the_address_is_chosen_already(
        self, client: Client, house_a: House
    ) -> None:
        text = client.get(f"{ADD}?house={house_a.pk}&type=egauge").content.decode()
        assert f'<option value="{house_a.pk}" selected>' in text

    @pytest.mark.parametrize("kind", drivers.kinds())
    def test_every_setting_of_every_type_is_asked_with_its_help(self, client: Client, kind: str) -> None:
        fields = client.get(f"{ADD}?type={kind}").context["adminform"].form.fields
        for setting in drivers.describe(kind):
            field = fields[f"setting_{setting.name}"]
            assert field.label == setting.title
            assert field.help_text.startswith(setting.help)

    @pytest.mark.parametrize("kind", drivers.kinds())
    def test_every_example_can_be_filled_in_and_saved(
        self, client: Client, house_a: House, kind: str
    ) -> None:
        form = client.get(f"{ADD}?type={kind}").context["adminform"].form
        hints = {name: field.widget.attrs.get("data-example") for name, field in form.fields.items()}
        settings = {name: hint for name, hint in hints.items() if hint}
        required = [setting for setting in drivers.describe(kind) if setting.secret and setting.required]
        settings |= {f"setting_{setting.name}": "hush" for setting in required}
        data = {"house": house_a.pk, "name": "it", "type": kind, "interval_s": 10, **settings}
        assert client.post(ADD, data).status_code == 302
        example = drivers.load(kind).EXAMPLE
        shown = {name: value for name, value in example.items() if name not in drivers.secret_fields(kind)}
        assert shown.items() <= Device.objects.get().full_config().items()

    def test_a_type_that_is_none_leads_back_to_the_types(self, client: Client, house_a: House) -> None:
        assert "What kind of device" in client.get(f"{ADD}?type=toaster").content.decode()
        assert "What kind of device" in client.post(ADD, filled(house_a, type="../x")).content.decode()
        assert not Source.objects.exists()

    @pytest.mark.parametrize(
        ("changed", "field", "message"),
        [
            ({"setting_ip": ""}, "setting_ip", "required"),
            ({"setting_ip": "http://nowhere"}, "setting_ip", "This setting has not the right form: Address"),
            ({"setting_keys": " \n "}, "setting_keys", "required"),
            ({"setting_keys": "A\nA"}, "setting_keys", "This setting names A more than once."),
            ({"setting_keys": 'A\n{"name": 5}'}, "setting_keys", "Expected str"),
            ({"setting_keys": 'A\n{"name": }'}, "setting_keys", "not JSON in line 2"),
            ({"setting_keys": '{"name": NaN}'}, "setting_keys", "NaN is no JSON number"),
            ({"setting_keys": "[" * 100_000}, "setting_keys", "This is not JSON"),
            ({"setting_t_sample": "soon"}, "setting_t_sample", "number"),
            ({"setting_t_sample": "61"}, "setting_t_sample", "60"),
            ({"setting_t_sample": "0"}, "setting_t_sample", "> 0"),
            ({"setting_t_sample": "nan"}, "setting_t_sample", "number"),
            ({"setting_password": ""}, "setting_password", "go together"),
            ({"setting_keys": '"a\\u0000"'}, "__all__", "no JSON object"),
            ({"setting_ip": "a\0"}, "setting_ip", "Null"),
            ({"name": "a.b"}, "name", "letters"),
            ({"name": "events"}, "name", "formulas"),
            ({"name": ""}, "name", "required"),
            ({"interval_s": 0}, "interval_s", "1"),
            ({"interval_s": 10**12}, "interval_s", ""),
            ({"house": None}, "house", "required"),
        ],
    )
    def test_what_is_wrong_is_told_at_its_field(
        self, client: Client, house_a: House, changed: dict[str, Any], field: str, message: str
    ) -> None:
        found = errors(client.post(ADD, filled(house_a, **changed)))
        assert set(found) == {field}
        assert message in found[field][0]
        assert not Source.objects.exists()

    def test_a_name_in_use_is_refused(self, client: Client, egauge: Device, house_a: House) -> None:
        assert errors(client.post(ADD, filled(house_a)))
        assert Device.objects.count() == 1


class TestChange:
    def edit(self, client: Client, device: Device, **changed: Any) -> Any:
        form = {"label": "", "interval_s": 10, **SETTINGS, "setting_password": "", **changed}
        return client.post(page(device), form)

    def test_the_form_shows_what_is_stored_but_secrets(self, client: Client, egauge: Device) -> None:
        answer = client.get(page(egauge))
        form = answer.context["adminform"].form
        shown = {name: form[name].value() for name in form.fields}
        assert shown["setting_keys"] == "A.Solar\nA.Load"
        assert (shown["setting_ip"], shown["setting_password"]) == (CONFIG["ip"], None)
        assert PASSWORD not in answer.content.decode()

    def test_a_secret_left_empty_stays(self, client: Client, egauge: Device) -> None:
        assert self.edit(client, egauge, setting_ip="192.0.2.8").status_code == 302
        assert Device.objects.get().full_config() == {**CONFIG, "ip": "192.0.2.8"}

    def test_a_new_secret_is_stored_and_in_no_log(self, client: Client, egauge: Device) -> None:
        self.edit(client, egauge, setting_password="brand-new-secret")
        assert Device.objects.get().secrets == {"password": "brand-new-secret"}
        assert "brand-new-secret" not in LogEntry.objects.get().get_change_message()

    def test_a_secret_is_removed_by_its_box(self, client: Client, egauge: Device) -> None:
        answer = self.edit(client, egauge, setting_username="", clear_password="on")
        assert answer.status_code == 302
        assert Device.objects.get().full_config() == {"ip": CONFIG["ip"], "keys": CONFIG["keys"]}

    def test_only_a_stored_secret_can_be_removed(self, client: Client, egauge: Device) -> None:
        assert "clear_password" in client.get(page(egauge)).content.decode()
        update_device(device=egauge, config={**CONFIG, "username": None, "password": None})
        assert "clear_password" not in client.get(page(egauge)).content.decode()

    def test_saving_what_is_shown_changes_nothing(
        self, client: Client, egauge: Device, house_a: House
    ) -> None:
        assert self.edit(client, egauge).status_code == 302
        assert Device.objects.get().full_config() == CONFIG
        assert EdgeUnit.objects.get(house=house_a).config_version == 1

    def test_label_and_interval_can_be_edited(self, client: Client, egauge: Device, alice: User) -> None:
        self.edit(client, egauge, label="Meter", interval_s=60)
        device = Device.objects.get()
        assert (device.source.label, device.interval_s) == ("Meter", 60)
        assert device.history.first().history_user == alice

    def test_house_name_and_type_cannot(self, client: Client, egauge: Device, house_b: House) -> None:
        self.edit(client, egauge, house=house_b.pk, name="other", type="sonnen")
        device = Device.objects.get()
        assert (device.source.house.name, device.source.name, device.type) == ("house-a", "egauge", "egauge")

    def test_a_unit_that_cannot_change_is_told(self, client: Client, egauge: Device) -> None:
        answer = self.edit(client, egauge, setting_keys='{"name": "A.Solar", "quantity": "voltage"}')
        assert "A.Solar" in errors(answer)["__all__"][0]
        assert Device.objects.get().full_config() == CONFIG

    def test_what_was_typed_is_there_again_after_an_error_but_secrets(
        self, client: Client, egauge: Device
    ) -> None:
        typed = {"setting_ip": "typed by hand", "setting_keys": "A\n{", "setting_password": "typed-secret"}
        text = self.edit(client, egauge, **typed).content.decode()
        assert "typed by hand" in text
        assert "A\n{</textarea>" in text
        assert "typed-secret" not in text
        assert PASSWORD not in text

    def test_fields_are_listed_with_their_newest_values(
        self, client: Client, egauge: Device, agent: Agent, noon: Any
    ) -> None:
        agent.upload(
            batch(at=[NOW_MS - 90_000], **{"A.Solar": [3.25], "extra": [7]}, states={"mode": ["auto"]})
        )
        rows = {row.name: row for row in client.get(page(egauge)).context["field_rows"]}
        assert list(rows) == ["A.Load", "A.Solar", "extra", "mode"]
        solar = rows["A.Solar"]
        assert (solar.unit, solar.role, solar.value, solar.age) == ("kW", "solar", "3.25", "1 min ago")
        assert (rows["A.Load"].value, rows["mode"].value, rows["extra"].unit) == ("", "auto", "")

    def test_the_fields_can_be_asked_for_alone(
        self, client: Client, egauge: Device, agent: Agent, noon: Any
    ) -> None:
        agent.upload(batch(**{"A.Solar": [3.25]}))
        noon.shift(timedelta(seconds=12))
        text = client.get(page(egauge, "state")).content.decode()
        assert ("3.25" in text, "12 s ago" in text, "<html" in text) == (True, True, False)

    def test_a_device_of_a_type_that_is_gone_still_opens_and_can_be_disabled(
        self, client: Client, egauge: Device
    ) -> None:
        Device.objects.update(type="toaster")
        assert client.get(page(egauge)).status_code == 200
        assert self.edit(client, egauge, label="Old meter").status_code == 302
        client.post(page(egauge, "disable"), {"_form_submitted": "true"})
        device = Device.objects.get()
        assert (device.source.label, device.source.enabled) == ("Old meter", False)
        assert device.full_config() == CONFIG

    def test_the_history_tells_no_secret(self, client: Client, egauge: Device) -> None:
        update_device(device=egauge, config={**CONFIG, "password": "later-secret"})
        addresses = [page(egauge, "history")]
        addresses += [
            reverse("admin:devices_device_simple_history", args=[egauge.pk, record.pk])
            for record in egauge.history.all()
        ]
        for address in addresses:
            text = client.get(address).content.decode()
            assert PASSWORD not in text
            assert "later-secret" not in text

    def test_there_is_no_deleting(self, client: Client, admin: User, as_user: AsUser, egauge: Device) -> None:
        assert client.get(page(egauge, "delete")).status_code == 403
        assert as_user(admin).post(page(egauge, "delete"), {"post": "yes"}).status_code == 403
        data = {"action": "delete_selected", "_selected_action": [egauge.pk], "post": "yes"}
        as_user(admin).post(LIST, data)
        assert Device.objects.exists()


class TestSwitch:
    def test_a_device_is_disabled_and_enabled_by_confirmed_posts(
        self, client: Client, egauge: Device, alice: User
    ) -> None:
        for name, enabled in (("disable", False), ("enable", True)):
            answer = client.post(page(egauge, name), {"_form_submitted": "true"})
            assert (answer.status_code, answer["Location"]) == (302, page(egauge))
            assert Source.objects.get().enabled is enabled
        assert EdgeUnit.objects.get().config_version == 3
        assert [entry.get_change_message() for entry in LogEntry.objects.order_by("id")] == [
            "Disabled.",
            "Enabled.",
        ]

    def test_looking_at_the_dialog_changes_nothing(self, client: Client, egauge: Device) -> None:
        assert client.get(page(egauge, "disable")).status_code == 200
        assert Source.objects.get().enabled

    def test_a_post_needs_the_token_against_forgery(self, alice: User, egauge: Device) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
        assert strict.post(page(egauge, "disable"), {"_form_submitted": "true"}).status_code == 403
        assert Source.objects.get().enabled

    def test_only_the_one_that_makes_sense_is_offered(self, client: Client, egauge: Device) -> None:
        enable, disable = page(egauge, "enable"), page(egauge, "disable")
        text = client.get(page(egauge)).content.decode()
        assert (disable in text, enable in text) == (True, False)
        update_device(device=egauge, enabled=False)
        text = client.get(page(egauge)).content.decode()
        assert (disable in text, enable in text) == (False, True)


class TestAccess:
    def test_devices_of_other_houses_do_not_exist(self, client: Client, foreign: Device) -> None:
        for name in ("change", "history", "enable", "disable", "synchronize", "state"):
            assert client.get(page(foreign, name)).status_code == 404, name
            assert client.post(page(foreign, name), {"_form_submitted": "true"}).status_code == 404, name
        assert "foreign" not in client.get(LIST).content.decode()
        assert Source.objects.get().enabled

    def test_homeowners_have_no_admin(
        self, bob: User, charlie: User, as_user: AsUser, egauge: Device
    ) -> None:
        for person in (bob, charlie):
            state = reverse("admin:devices_edgeunit_state", args=[egauge.source.house_id])
            for address in (LIST, ADD, page(egauge), page(egauge, "disable"), page(egauge, "state"), state):
                assert as_user(person).get(address).status_code == 403
            assert (
                as_user(person).post(page(egauge, "disable"), {"_form_submitted": "true"}).status_code == 403
            )
        assert Source.objects.get().enabled

    def test_visitors_log_in_first(self, egauge: Device) -> None:
        assert Client().get(page(egauge))["Location"].startswith("/accounts/login/")

    def test_an_administrator_sees_all(
        self, admin: User, as_user: AsUser, egauge: Device, foreign: Device
    ) -> None:
        rows = as_user(admin).get(LIST).context["cl"].queryset
        assert set(rows) == {egauge, foreign}


class TestList:
    def test_it_tells_how_old_the_newest_reading_is(
        self, client: Client, egauge: Device, agent: Agent, noon: Any
    ) -> None:
        assert "never" in client.get(LIST).content.decode()
        agent.upload(batch(a=[1]))
        noon.shift(timedelta(hours=3))
        assert "3 h ago" in client.get(LIST).content.decode()

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("?q=egau", True),
            ("?q=house-a", True),
            ("?q=nothing", False),
            ("?type=egauge", True),
            ("?type=sonnen", False),
            ("?source__enabled__exact=1", True),
            ("?source__enabled__exact=0", False),
        ],
    )
    def test_it_can_be_searched_and_filtered(
        self, client: Client, egauge: Device, asked: str, found: bool
    ) -> None:
        assert (list(client.get(LIST + asked).context["cl"].queryset) == [egauge]) is found

    def test_more_devices_take_no_more_queries(self, client: Client, house_a: House, egauge: Device) -> None:
        counts = []
        for number in range(2):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(LIST).status_code == 200
            counts.append(len(queries))
            for extra in range(5):
                create_device(house=house_a, name=f"d{number}{extra}", type="egauge", config=CONFIG)
        assert counts[0] == counts[1]

    def test_it_decrypts_nothing(self, client: Client, egauge: Device, settings: Any) -> None:
        with CaptureQueriesContext(connection) as queries:
            client.get(LIST)
        assert not any("secrets" in query["sql"] for query in queries.captured_queries)


class TestEvents:
    def test_they_are_listed_newest_first_and_cannot_be_changed(
        self, client: Client, egauge: Device, agent: Agent, noon: Any
    ) -> None:
        agent.upload(
            events=[
                {"timestamp": NOW_MS - 5, "type": "WARNING", "data": {"data": "<b>hot</b>"}},
                {"source": "egauge", "timestamp": NOW_MS, "type": "EV_START_CHARGING"},
            ]
        )
        answer = client.get(reverse("admin:devices_event_changelist"))
        assert [event.type for event in answer.context["cl"].result_list] == ["EV_START_CHARGING", "WARNING"]
        assert "<b>hot</b>" not in answer.content.decode()
        for event in Event.objects.all():
            address = reverse("admin:devices_event_change", args=[event.pk])
            assert client.get(address).status_code == 200
            assert client.post(address, {"type": "X"}).status_code == 403

    def test_those_of_other_houses_do_not_exist(
        self, client: Client, foreign: Device, other_agent: Agent, noon: Any
    ) -> None:
        other_agent.upload(events=[{"timestamp": NOW_MS, "type": "SECRET_VISIT"}])
        assert "SECRET_VISIT" not in client.get(reverse("admin:devices_event_changelist")).content.decode()
        address = reverse("admin:devices_event_change", args=[Event.objects.get().pk])
        assert client.get(address).status_code == 404


class TestAgents:
    def test_it_tells_whether_the_device_list_is_in_use(
        self, client: Client, egauge: Device, agent: Agent, noon: Any
    ) -> None:
        address = reverse("admin:devices_edgeunit_changelist")
        assert "waiting for the agent" in client.get(address).content.decode()
        agent.ack({"version": 1})
        assert "in use" in client.get(address).content.decode()
        agent.ack({"version": 1, "errors": [{"device": "egauge", "message": "<i>no answer</i>"}]})
        assert "in use, with errors" in client.get(address).content.decode()
        text = client.get(
            reverse("admin:devices_edgeunit_change", args=[egauge.source.house_id])
        ).content.decode()
        assert "<strong>egauge</strong> &lt;i&gt;no answer&lt;/i&gt;" in text

    def test_it_tells_how_the_agent_fares(self, client: Client, agent: Agent, noon: Any) -> None:
        agent.upload(agent={"version": "0.9.7", "sent_at": NOW_MS - 2_500})
        text = client.get(reverse("admin:devices_edgeunit_changelist")).content.decode()
        assert "0.9.7" in text
        assert "2.5 s behind" in text

    @pytest.mark.parametrize("kind", ["device", "edgeunit"])
    def test_synchronizing_waits_for_the_acknowledgement_of_a_new_version(
        self, client: Client, egauge: Device, agent: Agent, kind: str
    ) -> None:
        state = reverse("admin:devices_edgeunit_state", args=[egauge.source.house_id])
        agent.ack({"version": 1})
        assert "In use" in client.get(state).content.decode()
        known = agent.config()["ETag"]
        pk = {"device": egauge.pk, "edgeunit": egauge.source.house_id}[kind]
        answer = client.post(
            reverse(f"admin:devices_{kind}_synchronize", args=[pk]), {"_form_submitted": "true"}
        )
        assert answer["Location"] == reverse(f"admin:devices_{kind}_change", args=[pk])
        text = client.get(state).content.decode()
        assert ("Waiting for the agent" in text, "version 2, acknowledged 1" in text) == (True, True)
        assert agent.config(etag=known).json()["version"] == 2
        agent.ack({"version": 2, "errors": [{"device": "egauge", "message": "no answer"}]})
        text = client.get(state).content.decode()
        assert ("In use, with errors" in text, "no answer" in text) == (True, True)
        assert LogEntry.objects.get().get_change_message() == "Configuration synchronized."

    def test_an_agent_that_runs_another_list_than_it_acknowledged_is_told(
        self, client: Client, egauge: Device, agent: Agent
    ) -> None:
        update_device(device=egauge, interval_s=20)
        agent.ack({"version": 2})
        agent.upload(agent={"config_version": 1, "spool": 3, "spool_bound": 1000})
        text = client.get(page(egauge)).content.decode()
        assert "Another one in use" in text
        assert "running 1" in text
        assert "3 of at most 1,000" in text

    def test_a_house_whose_agent_was_never_heard_of_says_so(self, client: Client, house_a: House) -> None:
        text = client.get(reverse("admin:devices_edgeunit_state", args=[house_a.pk])).content.decode()
        assert ("No device yet" in text, "never" in text) == (True, True)

    def test_those_of_other_houses_do_not_exist(self, client: Client, foreign: Device) -> None:
        state = reverse("admin:devices_edgeunit_state", args=[foreign.source.house_id])
        assert client.get(state).status_code == 404
        synchronize = reverse("admin:devices_edgeunit_synchronize", args=[foreign.source.house_id])
        assert client.post(synchronize, {"_form_submitted": "true"}).status_code == 404
        assert EdgeUnit.objects.get().config_version == 1
        unit = reverse("admin:devices_edgeunit_change", args=[foreign.source.house_id])
        assert client.get(unit).status_code == 404
        assert not client.get(reverse("admin:devices_edgeunit_changelist")).context["cl"].queryset.exists()


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 s ago"),
        (59_999, "59 s ago"),
        (60_000, "1 min ago"),
        (3_600_000, "1 h ago"),
        (10 * 86_400_000, "10 d ago"),
        (-1_500, "1 s ahead"),
        (-7_200_000, "2 h ahead"),
    ],
)
def test_ages_are_told_in_the_largest_unit(milliseconds: int, text: str) -> None:
    assert age(milliseconds) == text
