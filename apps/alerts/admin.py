"""Alerts, to look at and acknowledge, and the windows in which nobody is bothered by them."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.alerts import summary, words
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, Maintenance, State
from apps.alerts.mutations import acknowledge, acknowledge_all
from apps.houses.confirmation import asks_first
from apps.houses.scoped_admin import ReadOnlyAdmin, ScopedAdmin, VisibleFilter, leave_dialog, preformatted
from apps.readings.times import moment

STAMPS = {"since", "last"}
COLOURS = {State.OPEN.label: "danger", State.ACKNOWLEDGED.label: "warning", State.CLEARED.label: "success"}


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What is or was wrong, newest first."""

    list_display = ["what", "house", "shown_kind", "shown_state", "opened_at", "cleared_at"]
    list_display_links = ["what"]
    list_filter = ["state", "kind", ("house", VisibleFilter)]
    list_select_related = ["house", "source"]
    search_fields = ["source__name", "source__label", "house__name", "house__label", "key"]
    when_empty = "All is well: devices, agents and data are looked at every minute."
    fields = [
        "what",
        "advice",
        "house",
        "source",
        "shown_kind",
        "shown_state",
        ("opened_at", "cleared_at"),
        ("acknowledged_at", "acknowledged_by"),
        "shown_evidence",
    ]
    readonly_fields = ["what", "advice", "shown_kind", "shown_state", "shown_evidence"]
    actions = ["acknowledge_selected"]
    actions_detail = ["acknowledge_one"]
    show_full_result_count = False

    @display(description="What")
    def what(self, alert: Alert) -> str:
        return summary.text(alert)

    @display(description="What to do")
    def advice(self, alert: Alert) -> str:
        return words.ADVICE[Kind(alert.kind)]

    @display(description="Kind", ordering="kind")
    def shown_kind(self, alert: Alert) -> str:
        return alert.get_kind_display()

    @display(description="State", ordering="state", label=COLOURS)
    def shown_state(self, alert: Alert) -> str:
        return alert.get_state_display()

    @display(description="Evidence")
    def shown_evidence(self, alert: Alert) -> str:
        readable = {
            name: moment(value) if name in STAMPS else value for name, value in alert.evidence.items()
        }
        return preformatted(json.dumps(readable, indent=2, ensure_ascii=False))

    def has_acknowledge_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the person may say that they have seen it."""
        allowed = request.user.has_perm("alerts.change_alert")
        return allowed and (obj is None or self.has_view_permission(request, obj))

    def hidden_actions(self, request: HttpRequest, obj: Alert) -> set[str]:
        """There is nothing to acknowledge once it is seen or over."""
        return set() if obj.state == State.OPEN else {"acknowledge_one"}

    @action(
        description="Acknowledge",
        icon="visibility",
        permissions=["acknowledge"],
        dialog={
            "title": "Acknowledge this alert",
            "description": "Says that you have seen it. It leaves the start page and clears when over.",
            "form_submit_text": "Acknowledge",
        },
    )
    def acknowledge_one(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        alert: Alert = self.existing(request, object_id)
        acknowledge(alert=alert, by=cast(User, request.user), at=timezone.now())
        self.log_change(request, alert, "Acknowledged.")
        messages.success(request, "The alert is acknowledged.")
        return leave_dialog(request, reverse("admin:alerts_alert_change", args=[alert.pk]))

    @action(description="Acknowledge", permissions=["acknowledge"])
    @asks_first(
        one="1 alert will be acknowledged: it leaves the start page and clears when over.",
        many="{count} alerts will be acknowledged: they leave the start page and clear when over.",
        submit="Acknowledge",
        of=lambda alerts: alerts.filter(state=State.OPEN),
        nothing="None of these alerts is open: they are acknowledged or over.",
    )
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        alerts = list(queryset)
        count = acknowledge_all(alerts=alerts, by=cast(User, request.user), at=timezone.now())
        for alert in alerts:
            self.log_change(request, alert, "Acknowledged.")
        messages.success(request, f"Acknowledged: {count}.")


@admin.register(Maintenance)
class MaintenanceAdmin(ScopedAdmin):
    """When somebody works on a house, and why."""

    list_display = ["reason", "house", "starts_at", "ends_at"]
    list_filter = [("house", VisibleFilter)]
    list_select_related = ["house"]
    search_fields = ["reason", "house__name", "house__label"]
    fields = ["house", "reason", "starts_at", "ends_at"]
    when_empty = "While a house is worked on, its alerts are recorded but neither shown nor mailed."
