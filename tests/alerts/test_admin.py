"""Alerts and maintenance windows in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, Maintenance, State
from apps.alerts.mutations import clear, open_or_renew
from apps.houses.confirmation import CONFIRMED
from apps.houses.models import House
from tests.alerts.conftest import NOON
from tests.people import AsUser

SURE = {CONFIRMED: "1"}
LIST = reverse("admin:alerts_alert_changelist")


@pytest.fixture
def client(alice: User, as_user: AsUser) -> Client:
    """Alice's: the operator of house A."""
    return as_user(alice)


def alert(house: House, kind: Kind = Kind.CLOCK, **evidence: Any) -> Alert:
    return open_or_renew(house=house, kind=kind, evidence={"offset_s": 40, **evidence}, at=NOON)


def action(alert: Alert) -> str:
    return reverse("admin:alerts_alert_acknowledge_one", args=[alert.pk])


def shown(client: Client, **filters: Any) -> list[Alert]:
    return list(client.get(LIST, filters).context["cl"].queryset)


class TestList:
    def test_it_filters_by_state_kind_and_house(
        self, admin: User, as_user: AsUser, house_a: House, house_b: House
    ) -> None:
        client = as_user(admin)
        one, other, over = (
            alert(house_a),
            alert(house_b, Kind.SPOOL),
            clear(alert=alert(house_a, Kind.SPOOL), at=NOON),
        )
        assert set(shown(client, state__exact="open")) == {one, other}
        assert set(shown(client, kind__exact="spool")) == {other, over}
        assert set(shown(client, house__id__exact=house_a.pk)) == {one, over}

    def test_it_says_what_is_wrong_and_what_to_do(self, client: Client, house_a: House) -> None:
        alert(house_a)
        assert "clock is 40 s ahead" in client.get(LIST).content.decode()
        page = client.get(
            reverse("admin:alerts_alert_change", args=[Alert.objects.get().pk])
        ).content.decode()
        assert "time server" in page

    def test_evidence_is_readable(self, client: Client, house_a: House) -> None:
        one = alert(house_a, since=round(NOON.timestamp() * 1000))
        page = client.get(reverse("admin:alerts_alert_change", args=[one.pk])).content.decode()
        assert "&quot;since&quot;: &quot;2026-06-01 12:00:00 UTC&quot;" in page

    def test_its_queries_do_not_grow_with_its_rows(
        self, client: Client, house_a: House, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(40):
            open_or_renew(house=house_a, kind=Kind.WARNING, key=str(number), evidence={"text": "x"}, at=NOON)
        with django_assert_max_num_queries(14):
            client.get(LIST)


class TestAcknowledging:
    def test_it_asks_and_then_does(self, client: Client, alice: User, house_a: House) -> None:
        one = alert(house_a)
        assert "Acknowledge this alert" in client.get(action(one)).content.decode()
        one.refresh_from_db()
        assert one.state == State.OPEN
        answer = client.post(action(one), {"_form_submitted": "on"})
        assert answer["Location"] == reverse("admin:alerts_alert_change", args=[one.pk])
        one.refresh_from_db()
        assert (one.state, one.acknowledged_by) == (State.ACKNOWLEDGED, alice)
        assert LogEntry.objects.get().get_change_message() == "Acknowledged."

    def test_it_is_offered_while_there_is_something_to_acknowledge(
        self, client: Client, house_a: House
    ) -> None:
        one = alert(house_a)
        page = reverse("admin:alerts_alert_change", args=[one.pk])
        assert action(one) in client.get(page).content.decode()
        clear(alert=one, at=NOON)
        assert action(one) not in client.get(page).content.decode()

    def test_many_are_acknowledged_together(self, client: Client, alice: User, house_a: House) -> None:
        alerts = [alert(house_a), alert(house_a, Kind.SPOOL)]
        selected = {"action": "acknowledge_selected", "_selected_action": [one.pk for one in alerts]} | SURE
        assert client.post(LIST, selected).status_code == 302
        assert Alert.objects.filter(acknowledged_by=alice).count() == 2
        assert LogEntry.objects.count() == 2

    def test_those_of_other_houses_are_out_of_reach(self, client: Client, house_b: House) -> None:
        foreign = alert(house_b)
        selected = {"action": "acknowledge_selected", "_selected_action": [foreign.pk]} | SURE
        client.post(LIST, selected)
        assert client.post(action(foreign), {"_form_submitted": "on"}).status_code == 404
        foreign.refresh_from_db()
        assert foreign.state == State.OPEN

    @pytest.mark.parametrize("who", ["bob", "ann", "charlie"])
    def test_nobody_else_can(
        self, request: pytest.FixtureRequest, as_user: AsUser, house_a: House, who: str
    ) -> None:
        one = alert(house_a)
        client = as_user(request.getfixturevalue(who))
        assert client.post(action(one), {"_form_submitted": "on"}).status_code == 403
        one.refresh_from_db()
        assert one.state == State.OPEN

    def test_alerts_are_neither_added_nor_edited_nor_deleted(self, client: Client, house_a: House) -> None:
        one = alert(house_a)
        assert client.get(reverse("admin:alerts_alert_add")).status_code == 403
        assert client.post(reverse("admin:alerts_alert_change", args=[one.pk]), {}).status_code == 403
        assert (
            client.post(reverse("admin:alerts_alert_delete", args=[one.pk]), {"post": "yes"}).status_code
            == 403
        )


class TestMaintenance:
    def send(self, client: Client, house: House, end: str = "15:00") -> Any:
        form = {
            "house": house.pk,
            "reason": "New inverter",
            "starts_at_0": "2026-06-01",
            "starts_at_1": "14:00",
            "ends_at_0": "2026-06-01",
            "ends_at_1": end,
        }
        return client.post(reverse("admin:alerts_maintenance_add"), form)

    def test_an_operator_plans_it_for_their_houses(
        self, client: Client, house_a: House, house_b: House
    ) -> None:
        assert self.send(client, house_a).status_code == 302
        assert self.send(client, house_b).status_code == 200
        assert Maintenance.objects.get().house == house_a

    def test_it_ends_after_it_starts(self, client: Client, house_a: House) -> None:
        assert "ends after it starts" in self.send(client, house_a, end="13:00").content.decode()
        assert not Maintenance.objects.exists()
