"""Devices, what happened at them, and the agents of houses."""

from __future__ import annotations

import json
import time
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.devices import panes
from apps.devices.forms import DeviceForm
from apps.devices.models import Device, EdgeUnit, Event
from apps.devices.mutations import update_device
from apps.houses.scoped_admin import ReadOnlyAdmin, ScopedHistoryAdmin, VisibleFilter, leave_dialog
from apps.readings.admin import moment


@admin.register(Device)
class DeviceAdmin(ScopedHistoryAdmin):
    """Devices: what they are, how they are read, and what was last heard of them."""

    form = DeviceForm
    list_display = ["title", "house", "name", "type", "state", "newest_reading", "every"]
    list_display_links = ["title"]
    list_filter = [("source__house", VisibleFilter), "type", "source__enabled"]
    list_select_related = ["source__house", "source__latest"]
    search_fields = ["source__name", "source__label", "source__house__name", "source__house__label", "type"]
    ordering = ["source__house__name", "source__name"]
    readonly_fields = ["house", "name", "kind"]
    change_form_after_template = "admin/devices/device/beside.html"
    actions_detail = ["enable", "disable"]

    class Media:
        css = {"all": ["css/devices.css"]}

    @display(description="Device", ordering="source__name")
    def title(self, device: Device) -> str:
        return str(device)

    @display(description="House", ordering="source__house__name")
    def house(self, device: Device) -> str:
        return str(device.source.house)

    @display(description="Name", ordering="source__name")
    def name(self, device: Device) -> str:
        return device.source.name

    @display(description="Type")
    def kind(self, device: Device) -> str:
        return device.type

    @display(
        description="State", ordering="source__enabled", label={"enabled": "success", "disabled": "warning"}
    )
    def state(self, device: Device) -> str:
        return "enabled" if device.source.enabled else "disabled"

    @display(description="Newest reading", ordering="source__latest__newest")
    def newest_reading(self, device: Device) -> str:
        if not hasattr(device.source, "latest"):
            return "never"
        newest = device.source.latest.newest
        return format_html('<span title="{}">{}</span>', moment(newest), panes.age(_now() - newest))

    @display(description="Interval", ordering="interval_s")
    def every(self, device: Device) -> str:
        return f"{device.interval_s} s"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        """Lists have no use for secrets; where they are needed they are fetched."""
        return cast("QuerySet[Device]", super().get_queryset(request)).defer("secrets")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # its readings hang on it; disabling it keeps them

    def get_fieldsets(self, request: HttpRequest, obj: Device | None = None) -> list[Any]:
        identity = ["house", "name", "kind"] if obj else ["house", "name", "type"]
        return [
            (None, {"fields": [*identity, "label"]}),
            ("Reading it", {"fields": ["interval_s", "config"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Device | None = None) -> list[str]:
        return self.readonly_fields if obj else []

    def get_form(
        self, request: HttpRequest, obj: Device | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.user = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Device, form: Any, change: bool) -> None:
        device = form.perform()
        obj.source, obj.type = device.source, device.type
        obj._state.adding = False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), **panes.context_of_new()}
        return cast(HttpResponse, super().add_view(request, form_url, context))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), **panes.context_of(self.existing(request, object_id), _now())}
        return cast(HttpResponse, super().change_view(request, object_id, form_url, context))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        hidden = "enable" if self.existing(request, object_id).source.enabled else "disable"
        offered = super().get_actions_detail(request, object_id)
        return [action for action in offered if action.action_name != f"devices_device_{hidden}"]

    @action(
        description="Enable",
        icon="play_arrow",
        permissions=["change"],
        dialog={
            "title": "Enable this device",
            "description": "The agent begins to read it when it next asks for its devices.",
            "form_submit_text": "Enable",
        },
    )
    def enable(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, enabled=True)

    @action(
        description="Disable",
        icon="pause",
        permissions=["change"],
        dialog={
            "title": "Disable this device",
            "description": "Nothing new is accepted from it, at once. What it has stays.",
            "form_submit_text": "Disable",
        },
    )
    def disable(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, enabled=False)

    def _switch(self, request: HttpRequest, object_id: str, *, enabled: bool) -> HttpResponse:
        device = update_device(
            device=self.existing(request, object_id), enabled=enabled, by=cast(User, request.user)
        )
        done = "enabled" if enabled else "disabled"
        self.log_change(request, device, f"{done.capitalize()}.")
        messages.success(request, f"{device} is {done}.")
        return leave_dialog(request, reverse("admin:devices_device_change", args=[device.pk]))


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What happened, newest first."""

    list_display = ["time", "house", "origin", "type", "summary"]
    list_filter = [("house", VisibleFilter), "type"]
    list_select_related = ["house", "source"]
    search_fields = ["type", "source__name", "source__label", "house__name", "house__label"]
    fields = ["house", "origin", "time", "type", "content"]
    readonly_fields = ["origin", "time", "content"]
    show_full_result_count = False

    @display(description="Time", ordering="timestamp")
    def time(self, event: Event) -> str | None:
        return moment(event.timestamp)

    @display(description="Source", ordering="source__name")
    def origin(self, event: Event) -> str:
        return "the agent" if event.source is None else str(event.source)

    @display(description="Data")
    def summary(self, event: Event) -> str:
        text = json.dumps(event.data, ensure_ascii=False)
        return text if len(text) <= 120 else f"{text[:119]}…"

    @display(description="Data")
    def content(self, event: Event) -> str:
        return format_html("<pre>{}</pre>", json.dumps(event.data, indent=2, ensure_ascii=False))


@admin.register(EdgeUnit)
class EdgeUnitAdmin(ReadOnlyAdmin):
    """The agents of houses: whether they are heard of and run the device list they should."""

    list_display = [
        "house",
        "devices",
        "config_version",
        "acked_version",
        "last_seen_at",
        "agent_version",
        "clock",
    ]
    list_filter = [("house", VisibleFilter)]
    list_select_related = ["house"]
    search_fields = ["house__name", "house__label"]
    ordering = ["house__name"]
    fields = [
        "house",
        "devices",
        ("config_version", "running_version"),
        ("acked_version", "acked_at"),
        "faults",
        ("last_seen_at", "agent_version"),
        ("spool", "spool_bound"),
        "clock",
    ]
    readonly_fields = ["devices", "faults", "clock"]

    @display(
        description="Device list",
        label={"in use": "success", "in use, with errors": "danger", "waiting for the agent": "warning"},
    )
    def devices(self, unit: EdgeUnit) -> str:
        if unit.acked_version is None or unit.acked_version < unit.config_version:
            return "waiting for the agent"
        return "in use, with errors" if unit.ack_errors else "in use"

    @display(description="Devices it cannot read")
    def faults(self, unit: EdgeUnit) -> str:
        return "; ".join(f"{fault['device']}: {fault['message']}" for fault in unit.ack_errors) or "none"

    @display(description="Clock", ordering="clock_offset_ms")
    def clock(self, unit: EdgeUnit) -> str:
        if unit.clock_offset_ms is None:
            return "not known"
        direction = "ahead" if unit.clock_offset_ms >= 0 else "behind"
        return f"{abs(unit.clock_offset_ms) / 1000:.1f} s {direction}"


def _now() -> int:
    return int(time.time() * 1000)
