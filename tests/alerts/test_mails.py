"""Mails about alerts: one for many, to those who want them, about what concerns them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from apps.accounts.models import User
from apps.alerts.kinds import Kind
from apps.alerts.mails import send, set_wish
from apps.alerts.models import Alert, MailWish, Maintenance
from apps.alerts.mutations import acknowledge, clear, open_or_renew
from apps.houses.models import House
from tests.alerts.conftest import MINUTE, NOON
from tests.people import AsUser
from tests.readings.threads import at_once

PAGE = reverse("alert_mails")


def alert(house: House, kind: Kind = Kind.CLOCK) -> Alert:
    return open_or_renew(
        house=house, kind=kind, evidence={"offset_s": 40, "percent": 90, "bound": 9}, at=NOON
    )


@pytest.fixture
def reader(alice: User) -> User:
    """Alice, who wants mails."""
    set_wish(user=alice, wanted=True)
    return alice


class TestSending:
    def test_one_mail_tells_all_that_opened(self, reader: User, house_a: House) -> None:
        alert(house_a), alert(house_a, Kind.SPOOL)
        assert send(now=NOON) == 1
        [sent] = mail.outbox
        assert (sent.to, sent.subject) == ([reader.email], "Wattdesk: 2 new alerts")
        assert "House A\n* The agent's" in sent.body
        assert "clock is 40 s ahead, since 1 Jun, 12:00 UTC" in sent.body
        assert "/admin/alerts/alert/?state__exact=open" in sent.body
        assert PAGE in sent.body

    def test_nothing_is_mailed_twice(self, reader: User, house_a: House) -> None:
        alert(house_a)
        send(now=NOON)
        assert send(now=NOON + 15 * MINUTE) == 0
        alert(house_a, Kind.SPOOL)
        assert send(now=NOON + 30 * MINUTE) == 1
        assert [sent.subject for sent in mail.outbox] == ["Wattdesk: 1 new alert"] * 2

    def test_everybody_is_told_of_their_houses_only(
        self, reader: User, admin: User, house_a: House, house_b: House
    ) -> None:
        set_wish(user=admin, wanted=True)
        alert(house_b)
        send(now=NOON)
        assert [sent.to for sent in mail.outbox] == [[admin.email]]

    def test_only_who_wants_and_may_gets_mails(self, alice: User, bob: User, house_a: House) -> None:
        MailWish.objects.create(user=bob)
        alert(house_a)
        assert send(now=NOON) == 0
        set_wish(user=alice, wanted=True)
        assert send(now=NOON) == 1
        set_wish(user=alice, wanted=False)
        alert(house_a, Kind.SPOOL)
        assert send(now=NOON) == 0

    def test_what_is_seen_or_over_needs_none(self, reader: User, house_a: House) -> None:
        acknowledge(alert=alert(house_a), by=reader, at=NOON)
        clear(alert=alert(house_a, Kind.SPOOL), at=NOON)
        assert send(now=NOON) == 0

    def test_maintenance_postpones_it(self, reader: User, house_a: House) -> None:
        Maintenance.objects.create(
            house=house_a, starts_at=NOON - MINUTE, ends_at=NOON + MINUTE, reason="New inverter"
        )
        alert(house_a)
        assert send(now=NOON) == 0
        assert send(now=NOON + MINUTE) == 1

    def test_what_could_not_be_sent_is_tried_again(
        self, reader: User, house_a: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alert(house_a)

        def refuse(*_: Any) -> int:
            raise ConnectionRefusedError

        with monkeypatch.context() as patched:
            patched.setattr(EmailBackend, "send_messages", refuse)
            with pytest.raises(ConnectionRefusedError):
                send(now=NOON)
        assert send(now=NOON) == 1

    def test_a_flood_is_cut_and_counted(self, reader: User, house_a: House) -> None:
        for number in range(60):
            open_or_renew(house=house_a, kind=Kind.WARNING, key=str(number), evidence={"text": "x"}, at=NOON)
        send(now=NOON)
        assert "and 10 more" in mail.outbox[0].body


class TestPage:
    def test_an_operator_turns_them_on_and_off(self, alice: User, as_user: AsUser) -> None:
        client = as_user(alice)
        assert PAGE in client.get(reverse("account")).content.decode()
        assert "no mails" in client.get(PAGE).content.decode()
        assert client.post(PAGE, {"wanted": "yes"}, follow=True).status_code == 200
        assert MailWish.objects.get().user == alice
        client.post(PAGE, {"wanted": "no"})
        assert not MailWish.objects.exists()

    @pytest.mark.parametrize("who", ["bob", "ann"])
    def test_it_is_for_those_who_look_after_houses(
        self, request: pytest.FixtureRequest, as_user: AsUser, who: str
    ) -> None:
        client = as_user(request.getfixturevalue(who))
        assert client.get(PAGE).status_code == client.post(PAGE, {"wanted": "yes"}).status_code == 403
        assert PAGE not in client.get(reverse("account")).content.decode()

    def test_an_anonymous_visitor_logs_in_first(self, client: Any, db: None) -> None:
        assert client.get(PAGE)["Location"] == f"/accounts/login/?next={PAGE}"


@pytest.mark.django_db
def test_mails_are_sent_every_quarter_of_an_hour() -> None:
    assert PeriodicTask.objects.get(task="alerts.mail").interval.schedule.run_every == timedelta(minutes=15)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_one_mail(reader: User, house_a: House) -> None:
    alert(house_a)
    counts: list[int] = []
    at_once(*[lambda: counts.append(send(now=NOON))] * 4)
    assert sorted(counts) == [0, 0, 0, 1]
    assert len(mail.outbox) == 1
