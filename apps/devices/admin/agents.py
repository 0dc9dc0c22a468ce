"""Agents of houses in the admin: whether they are heard of and run the device list they should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.devices import panes
from apps.devices.models import EdgeUnit
from apps.devices.mutations import synchronize
from apps.houses.models import House
from apps.houses.scoped_admin import DetailedAdmin, ReadOnlyAdmin, VisibleFilter, leave_dialog

SYNCHRONIZE_DIALOG = {
    "title": "Synchronize configuration",
    "description": "The device list gets a new number, so that the agent fetches it again when it next asks,"
    " within a minute, and acknowledges it. It goes on reading meanwhile.",
    "form_submit_text": "Synchronize",
}


@admin.register(EdgeUnit)
class EdgeUnitAdmin(DetailedAdmin, ReadOnlyAdmin):
    """The agents of houses; the page of one is kept up to date."""

    list_display = ["house", "devices", "config_version", "acked_version", "seen", "agent_version", "clock"]
    list_filter = [("house", VisibleFilter)]
    list_select_related = ["house"]
    search_fields = ["house__name", "house__label"]
    ordering = ["house__name"]
    fields = ["house", "acked_at"]
    change_form_outer_before_template = "admin/devices/agent.html"
    when_empty = "The agent of a house appears here when it first asks for its devices, or is given some."
    actions_detail = ["synchronize"]

    class Media:
        css = {"all": ["css/devices.css"]}
        js = ["js/devices.js"]

    @display(description="Device list", label=panes.LIST_LABELS)
    def devices(self, unit: EdgeUnit) -> str:
        return panes.list_state(unit)

    @display(description="Last seen", ordering="last_seen_at")
    def seen(self, unit: EdgeUnit) -> str:
        return panes.since(unit.last_seen_at, timezone.now())

    @display(description="Clock", ordering="clock_offset_ms")
    def clock(self, unit: EdgeUnit) -> str:
        return panes.clock(unit)

    def has_synchronize_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change the devices of a house may have its agent fetch them."""
        return self._known(request, obj) is not None and request.user.has_perm("devices.change_device")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.state_view)
        own = path("of/<int:house_id>/state/", view, name="devices_edgeunit_state")
        return [own, *super().get_urls()]

    def state_view(self, request: HttpRequest, house_id: int) -> HttpResponse:
        """How the agent of a house fares, as the part of a page."""
        house = get_object_or_404(House.objects.visible_to(cast(User, request.user)), pk=house_id)
        if not self.has_view_permission(request):
            raise PermissionDenied
        return render(
            request, "admin/devices/agent_state.html", {"agent": panes.agent_of(house, timezone.now())}
        )

    def page_context(self, request: HttpRequest, obj: EdgeUnit) -> Mapping[str, Any]:
        return panes.agent_context(obj.house, timezone.now())

    @action(
        description="Synchronize configuration",
        icon="sync",
        permissions=["synchronize"],
        dialog=SYNCHRONIZE_DIALOG,
    )
    def synchronize(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        unit = self.existing(request, object_id)
        synchronize(house=unit.house)
        self.log_change(request, unit, "Configuration synchronized.")
        messages.success(request, f"The agent of {unit.house} is asked to fetch its devices again.")
        return leave_dialog(request, reverse("admin:devices_edgeunit_change", args=[unit.pk]))
