"""Mails about alerts: one for all that opened since the last, to operators who want them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import ngettext

from apps.accounts.languages import spoken_to
from apps.accounts.models import User
from apps.accounts.roles import STAFF
from apps.alerts import summary
from apps.alerts.models import Alert, MailWish, State
from apps.houses.models import House

MOST = 50
"""Alerts that one mail names; it counts the others."""


def wants_mails(user: User) -> bool:
    """Whether `user` wants mails about alerts."""
    return MailWish.objects.filter(user=user).exists()


def set_wish(*, user: User, wanted: bool) -> None:
    """Begin or stop mailing `user` about alerts."""
    if wanted:
        MailWish.objects.get_or_create(user=user)
    else:
        MailWish.objects.filter(user=user).delete()


@transaction.atomic
def send(*, now: datetime) -> int:
    """Mail what opened and was not mailed yet, one mail to each who wants them; returns how many.

    What was acknowledged or is over needs no mail; what is in maintenance is mailed when it ends. When the
    mails cannot be sent, OSError, and the next run tries again.
    """
    readers = list(User.objects.filter(alert_mails__isnull=False, is_active=True, role__in=STAFF))
    fresh = _claimed(now) if readers else []
    mails = [mail for mail in (_mail(user, _seen_by(user, fresh)) for user in readers) if mail]
    Alert.objects.filter(pk__in=fresh).update(mailed_at=now)
    if mails:
        get_connection().send_messages(mails)
    return len(mails)


def _claimed(now: datetime) -> list[int]:
    """The alerts to mail. Another worker waits here, and then finds none of them."""
    fresh = Alert.objects.filter(state=State.OPEN, mailed_at=None).audible(now)
    return list(fresh.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))


def _seen_by(user: User, alert_ids: Sequence[int]) -> list[Alert]:
    alerts = Alert.objects.visible_to(user).filter(pk__in=alert_ids)
    return list(alerts.select_related("house", "source").order_by("house__name", "-opened_at"))


def _mail(user: User, alerts: Sequence[Alert]) -> EmailMessage | None:
    if not alerts:
        return None
    count = len(alerts)
    with spoken_to(user):
        new = ngettext("Wattdesk: %(count)d new alert", "Wattdesk: %(count)d new alerts", count)
        text = render_to_string("alerts/digest_email.txt", _context(user, alerts))
    return EmailMessage(new % {"count": count}, text, to=[user.email])


def _context(user: User, alerts: Sequence[Alert]) -> dict[str, Any]:
    by_house: dict[House, list[summary.Line]] = {}
    for line in summary.lines(alerts[:MOST], user):
        by_house.setdefault(line.alert.house, []).append(line)
    return {
        "user": user,
        "houses": by_house.items(),
        "more": max(0, len(alerts) - MOST),
        "list": f"{settings.PUBLIC_URL}{reverse('admin:alerts_alert_changelist')}?state__exact=open",
        "switch": f"{settings.PUBLIC_URL}{reverse('alert_mails')}",
    }
