"""Every action of every admin page says what will happen, and to how many, before anything does.

The actions are found in the registry, so one that is added is covered without a change here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.db import connection, models
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_celery_beat.models import PeriodicTask
from model_bakery import baker

from apps.accounts.models import User
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, State
from apps.alerts.mutations import acknowledge
from apps.houses.confirmation import CONFIRMED
from apps.houses.models import House
from apps.inbox.models import Body, Receipt
from apps.meters.models import UploadFile
from tests.alerts.conftest import NOON
from tests.alerts.test_admin import alert
from tests.desk.test_admin_access import MODELS, label, object_of, url
from tests.people import AsUser

WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE)\b(?!.*django_session)", re.IGNORECASE)
LIST = reverse("admin:alerts_alert_changelist")
PLACES = ("list", "detail", "row")

Model = type[models.Model]


def actions() -> Iterator[tuple[Model, str, str]]:
    """Of all pages: the model, the place and the name."""
    for model in MODELS:
        page: Any = admin.site._registry[model]
        for place in PLACES:
            for name in page._extract_action_names(getattr(page, f"actions_{place}")):
                yield model, place, name


def bulk_actions() -> Iterator[tuple[Model, str]]:
    """Those on what is chosen in a list, as an administrator is offered them."""
    request = RequestFactory().get("/")
    request.user = User(role="administrator", is_active=True)
    for model in MODELS:
        for name in admin.site._registry[model].get_actions(request):
            yield model, name


def told(model: Model, *names: str) -> str:
    return ".".join([label(model), *names])


@pytest.fixture
def client(as_user: AsUser, admin: User) -> Client:
    return as_user(admin)


def unwritten(client: Client, method: str, address: str, data: Any = None) -> str:
    """What the page says; asking for it wrote nothing."""
    with CaptureQueriesContext(connection) as asked:
        answer = getattr(client, method)(address, data or {}, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer
    assert [one["sql"] for one in asked if WRITES.search(one["sql"])] == []
    return html.unescape((b"".join(answer) if answer.streaming else answer.content).decode())


@pytest.mark.parametrize(
    ("model", "place", "name"), list(actions()), ids=lambda it: it if isinstance(it, str) else label(it)
)
def test_an_action_shows_what_it_does_before_it_does_it(
    client: Client, house_a: House, model: Model, place: str, name: str
) -> None:
    page: Any = admin.site._registry[model]
    found = [] if place == "list" else [quote(object_of(model, house_a).pk)]
    shown = unwritten(client, "get", url(model, name, *found))
    if name in getattr(page, "reading_actions", ()):
        return
    dialog = getattr(page, name).dialog
    assert str(dialog["title"]) in shown
    assert len(str(dialog["description"])) > 20
    assert str(dialog["form_submit_text"]) in shown


@pytest.mark.parametrize(
    ("model", "name"), list(bulk_actions()), ids=lambda it: it if isinstance(it, str) else label(it)
)
def test_an_action_on_many_says_how_many_before_it_does_anything(
    client: Client, house_a: House, model: Model, name: str
) -> None:
    chosen = [_ready(object_of(model, house_a), name).pk for _ in range(2)]
    choice = {"action": name, ACTION_CHECKBOX_NAME: chosen}
    shown = unwritten(client, "post", url(model, "changelist"), choice)
    assert "2" in re.sub(r"<[^>]*>", "", shown)
    assert 'type="submit"' in shown


def _ready(thing: Any, action: str) -> Any:
    """What the action has something to do for."""
    if isinstance(thing, PeriodicTask):
        thing.enabled = action != "enable_tasks"
    if isinstance(thing, Receipt):
        thing.body = baker.make(Body)
    if isinstance(thing, UploadFile):
        thing.receipt = baker.make(Receipt, body=baker.make(Body))
    thing.save()
    return thing


class TestAskingFirst:
    def alerts(self, house: House) -> list[Alert]:
        return [alert(house), alert(house, Kind.SPOOL), alert(house, Kind.OFFLINE)]

    def choice(self, alerts: list[Alert], **more: str) -> dict[str, Any]:
        return {"action": "acknowledge_selected", ACTION_CHECKBOX_NAME: [one.pk for one in alerts], **more}

    def test_it_names_what_it_is_about_and_tells_what_it_leaves_out(
        self, client: Client, admin: User, house_a: House
    ) -> None:
        alerts = self.alerts(house_a)
        acknowledge(alert=alerts[0], by=admin, at=NOON)
        shown = client.post(LIST, self.choice(alerts)).content.decode()
        assert "2 alerts will be acknowledged" in shown
        assert "It is not for 1 of those you chose" in shown
        assert shown.count("<li>") >= 2

    def test_what_is_confirmed_is_done_to_the_same_choice(self, client: Client, house_a: House) -> None:
        alerts = self.alerts(house_a)
        shown = client.post(LIST, self.choice(alerts[:2])).content.decode()
        sent = re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', shown)
        data: dict[str, list[str]] = {}
        for name, value in sent:
            data.setdefault(name, []).append(value)
        assert client.post(LIST, data).status_code == 302
        assert Alert.objects.filter(state=State.ACKNOWLEDGED).count() == 2

    def test_all_of_a_filtered_list_can_be_chosen(self, client: Client, house_a: House) -> None:
        alerts = self.alerts(house_a)
        address = f"{LIST}?kind__exact={Kind.SPOOL}"
        everything = self.choice(alerts[:1], select_across="1")
        shown = client.post(address, everything).content.decode()
        assert "1 alert will be acknowledged" in shown
        assert 'name="select_across" value="1"' in shown
        client.post(address, {**everything, CONFIRMED: "1"})
        assert Alert.objects.get(state=State.ACKNOWLEDGED).kind == Kind.SPOOL

    def test_where_there_is_nothing_to_do_it_says_so(
        self, client: Client, admin: User, house_a: House
    ) -> None:
        one = alert(house_a)
        acknowledge(alert=one, by=admin, at=NOON)
        shown = client.post(LIST, self.choice([one]), follow=True).content.decode()
        assert "None of these alerts is open" in shown


@pytest.mark.parametrize(("action", "before"), [("enable_tasks", False), ("disable_tasks", True)])
def test_scheduled_tasks_are_switched_and_it_is_on_record(
    client: Client, house_a: House, action: str, before: bool
) -> None:
    task = object_of(PeriodicTask, house_a)
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=before)
    client.post(
        url(PeriodicTask, "changelist"), {"action": action, ACTION_CHECKBOX_NAME: task.pk, CONFIRMED: "1"}
    )
    assert PeriodicTask.objects.get(pk=task.pk).enabled is not before
    assert LogEntry.objects.get().object_id == str(task.pk)
