"""Alerts on the pages of houses, and their summary for the start page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.alerts.kinds import Kind
from apps.alerts.models import Maintenance
from apps.alerts.mutations import acknowledge, clear, open_or_renew
from apps.alerts.panel import alerts_today
from apps.alerts.summary import open_alerts
from apps.devices.models import Device
from apps.houses.models import House
from tests.alerts.conftest import MINUTE, NOON, Clock
from tests.people import AsUser

HOUR = 60 * MINUTE
pytestmark = pytest.mark.usefixtures("clock")


def silent(device: Device, at: Any = NOON) -> Any:
    since = round((at - 10 * MINUTE).timestamp() * 1000)
    return open_or_renew(
        house=device.source.house, source=device.source, kind=Kind.SILENT, evidence={"since": since}, at=at
    )


def refused(house: House) -> Any:
    return open_or_renew(house=house, kind=Kind.REFUSED, key="too_old", evidence={"code": "too_old"}, at=NOON)


def page(client: Client, house: House) -> str:
    return client.get(reverse("house", args=[house.pk])).content.decode()


def live(client: Client, house: House) -> Any:
    return client.get(reverse("house_live", args=[house.pk]))


def section(text: str) -> str:
    """The opening tag of the panel."""
    start = text.index('<section class="card alerts"')
    return text[start : text.index(">", start) + 1]


class TestPage:
    def test_it_is_hidden_while_nothing_is_wrong(self, bob: User, as_user: AsUser, house_a: House) -> None:
        assert "hidden" in section(page(as_user(bob), house_a))
        empty = {"open": [], "over": [], "more": 0, "maintenance": None}
        assert live(as_user(bob), house_a).json()["alerts"] == empty

    def test_an_open_alert_is_on_it_with_its_local_time(
        self, alice: User, as_user: AsUser, egauge: Device, house_a: House
    ) -> None:
        silent(egauge)
        text = page(as_user(alice), house_a)
        assert "hidden" not in section(text)
        assert "egauge sends nothing</span> <small>since 13:50</small>" in text

    def test_homeowners_get_plain_words_and_no_technicalities(
        self, bob: User, alice: User, as_user: AsUser, egauge: Device, house_a: House
    ) -> None:
        silent(egauge)
        refused(house_a)
        [shown] = live(as_user(bob), house_a).json()["alerts"]["open"]
        assert shown == {"text": "No readings from egauge", "since": "13:50", "seen": False}
        assert len(live(as_user(alice), house_a).json()["alerts"]["open"]) == 2

    def test_only_who_may_acknowledge_is_led_there(
        self, alice: User, bob: User, ann: User, as_user: AsUser, house_a: House
    ) -> None:
        link = reverse("admin:alerts_alert_changelist")
        assert link in page(as_user(alice), house_a)
        assert link not in page(as_user(bob), house_a)
        assert link not in page(as_user(ann), house_a)

    def test_other_houses_are_not_told(
        self, charlie: User, as_user: AsUser, egauge: Device, house_b: House, house_a: House
    ) -> None:
        silent(egauge)
        assert "egauge" not in page(as_user(charlie), house_b)
        assert live(as_user(charlie), house_b).json()["alerts"]["open"] == []
        assert live(as_user(charlie), house_a).status_code == 404

    def test_the_live_answer_changes_when_an_alert_does(
        self, alice: User, as_user: AsUser, egauge: Device, house_a: House
    ) -> None:
        client = as_user(alice)
        tags = [live(client, house_a)["ETag"]]
        alert = silent(egauge)
        tags.append(live(client, house_a)["ETag"])
        acknowledge(alert=alert, by=alice, at=NOON)
        tags.append(live(client, house_a)["ETag"])
        clear(alert=alert, at=NOON)
        tags.append(live(client, house_a)["ETag"])
        assert len(set(tags)) == 4
        again = client.get(reverse("house_live", args=[house_a.pk]), headers={"If-None-Match": tags[-1]})
        assert again.status_code == 304

    def test_nothing_in_it_is_taken_for_html(self, alice: User, as_user: AsUser, house_a: House) -> None:
        evidence = {"text": "<script>x</script>"}
        open_or_renew(house=house_a, kind=Kind.WARNING, key="x", evidence=evidence, at=NOON)
        assert "<script>x" not in page(as_user(alice), house_a)


class TestToday:
    def test_outages_that_ended_today_are_told_from_and_to(
        self, alice: User, egauge: Device, house_a: House
    ) -> None:
        clear(alert=silent(egauge, NOON - HOUR), at=NOON - 30 * MINUTE)
        shown = alerts_today(house=house_a, user=alice, now=NOON)
        assert shown["over"] == [{"text": "egauge sends nothing", "from": "12:50", "to": "13:30"}]

    def test_today_begins_at_the_houses_own_midnight(
        self, alice: User, egauge: Device, house_a: House
    ) -> None:
        midnight = NOON - 14 * HOUR  # 00:00 in Brussels
        clear(alert=silent(egauge, midnight - HOUR), at=midnight - MINUTE)
        assert alerts_today(house=house_a, user=alice, now=NOON)["over"] == []
        clear(alert=silent(egauge, midnight - HOUR), at=midnight)
        [over] = alerts_today(house=house_a, user=alice, now=NOON)["over"]
        assert (over["from"], over["to"]) == ("Sun 31 May, 22:50", "00:00")

    @pytest.mark.parametrize(("day", "hours"), [("03-29", 23), ("10-25", 25)])
    def test_a_day_on_which_the_clocks_change_is_whole(
        self, alice: User, egauge: Device, house_a: House, clock: Clock, day: str, hours: int
    ) -> None:
        end = NOON.replace(month=int(day[:2]), day=int(day[3:]), hour=22 if hours == 23 else 23) - MINUTE
        begin = end + MINUTE - hours * HOUR
        clear(alert=silent(egauge, begin), at=begin)
        assert len(alerts_today(house=house_a, user=alice, now=end)["over"]) == 1
        assert alerts_today(house=house_a, user=alice, now=end + MINUTE)["over"] == []

    def test_a_flood_is_cut_and_counted(self, alice: User, house_a: House) -> None:
        for number in range(25):
            open_or_renew(house=house_a, kind=Kind.WARNING, key=str(number), evidence={"text": "x"}, at=NOON)
        shown = alerts_today(house=house_a, user=alice, now=NOON)
        assert (len(shown["open"]), shown["more"]) == (20, 5)


def maintain(house: House, start: Any, end: Any) -> Maintenance:
    return Maintenance.objects.create(house=house, starts_at=start, ends_at=end, reason="New inverter")


class TestMaintenance:
    def test_a_window_keeps_alerts_quiet_and_says_so(
        self, bob: User, as_user: AsUser, egauge: Device, house_a: House
    ) -> None:
        silent(egauge)
        maintain(house_a, NOON - HOUR, NOON + HOUR)
        shown = live(as_user(bob), house_a).json()["alerts"]
        assert shown == {
            "open": [],
            "over": [],
            "more": 0,
            "maintenance": {"reason": "New inverter", "until": "15:00"},
        }
        assert "New inverter" in page(as_user(bob), house_a)

    def test_what_is_still_wrong_afterwards_is_shown_then(
        self, alice: User, egauge: Device, house_a: House
    ) -> None:
        silent(egauge)
        maintain(house_a, NOON - HOUR, NOON + HOUR)
        assert open_alerts(user=alice, now=NOON) == {}
        assert open_alerts(user=alice, now=NOON + HOUR)[house_a.pk].count == 1
        assert alerts_today(house=house_a, user=alice, now=NOON + HOUR)["open"] != []

    def test_it_concerns_its_own_house_only(self, alice: User, egauge: Device, house_b: House) -> None:
        silent(egauge)
        maintain(house_b, NOON - HOUR, NOON + HOUR)
        assert len(open_alerts(user=alice, now=NOON)) == 1


class TestSummary:
    def test_it_tells_open_alerts_by_house_in_one_query(
        self, admin: User, egauge: Device, house_a: House, house_b: House
    ) -> None:
        silent(egauge)
        for number in range(7):
            open_or_renew(house=house_b, kind=Kind.WARNING, key=str(number), evidence={"text": "x"}, at=NOON)
        with CaptureQueriesContext(connection) as queries:
            found = open_alerts(user=admin, now=NOON)
            texts = [line.text for line in found[house_a.pk].lines]
        assert len(queries) == 1
        assert texts == ["egauge sends nothing"]
        assert (len(found[house_b.pk].lines), found[house_b.pk].more) == (5, 2)

    def test_what_somebody_has_seen_is_left_out(self, alice: User, egauge: Device) -> None:
        acknowledge(alert=silent(egauge), by=alice, at=NOON)
        assert open_alerts(user=alice, now=NOON) == {}

    def test_everybody_is_told_of_their_houses_only(
        self, alice: User, charlie: User, egauge: Device, house_a: House
    ) -> None:
        silent(egauge)
        assert open_alerts(user=charlie, now=NOON) == {}
        assert list(open_alerts(user=alice, now=NOON + timedelta(days=1))) == [house_a.pk]
