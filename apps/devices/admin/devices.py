"""Devices in the admin: what they are, how they are read, and what was last heard of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts.models import User
from apps.devices import commands, deletion, panes, settings_fields, transfer
from apps.devices.admin.agents import SYNCHRONIZE_DIALOG
from apps.devices.forms import DeviceNameForm, command_form, form_for
from apps.devices.models import Device
from apps.devices.mutations import delete_device, synchronize, update_device
from apps.houses.csv_admin import CsvAdmin
from apps.houses.scoped_admin import DetailedAdmin, ScopedHistoryAdmin, VisibleFilter, leave_dialog
from apps.houses.switching import SwitchAdmin, switch
from apps.readings.times import moment
from collectors import drivers


@admin.register(Device)
class DeviceAdmin(DetailedAdmin, SwitchAdmin, CsvAdmin, ScopedHistoryAdmin):
    """Devices. Adding one begins with its type, which decides what else is asked."""

    list_display = ["title", "house", "name", "type", "state", "newest_reading", "every"]
    list_display_links = ["title"]
    list_filter = [("source__house", VisibleFilter), "type", "source__enabled"]
    list_select_related = ["source__house", "source__latest"]
    search_fields = ["source__name", "source__label", "source__house__name", "source__house__label", "type"]
    ordering = ["source__house__name", "source__name"]
    readonly_fields = ["house", "name", "kind"]
    change_form_outer_before_template = "admin/devices/device/state.html"
    change_form_before_template = "admin/devices/device/example.html"
    when_empty = "A device is a meter, battery, inverter or charger that the agent in its house reads."
    actions_detail = ["command", "enable", "disable", "synchronize", "erase"]
    reading_actions = CsvAdmin.reading_actions | {"command"}  # followed as a link, it shows a page

    csv_columns = transfer.COLUMNS
    csv_row = transfer.row_of
    csv_save = transfer.save
    csv_help = (
        "House and name say which device it is: one that is there is changed, any other added. The settings"
        " are a JSON object; secrets are not exported, and stay where a row brings none."
    )

    class Media:
        css = {"all": ["css/devices.css"]}
        js = ["js/devices.js"]

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
        return panes.title_of(device.type)

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
        now = int(timezone.now().timestamp() * 1000)
        return format_html('<span title="{}">{}</span>', moment(newest), panes.age(now - newest))

    @display(description="Interval", ordering="interval_s")
    def every(self, device: Device) -> str:
        return f"{device.interval_s} s"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        """Lists have no use for secrets; where they are needed they are fetched."""
        return cast("QuerySet[Device]", super().get_queryset(request)).defer("secrets")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # years of readings hang on it: only a job can delete it, see `erase`

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may delete a device with all it ever said."""
        self._known(request, obj)
        return request.user.has_perm("devices.delete_device")

    def get_urls(self) -> list[URLPattern]:
        state = self.admin_site.admin_view(self.state_view)
        told = self.admin_site.admin_view(self.commands_view)
        return [
            path("<path:object_id>/state/", state, name="devices_device_state"),
            path("<path:object_id>/commands/", told, name="devices_device_commands"),
            *super().get_urls(),
        ]

    def state_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The fields of a device with their newest values, as the part of a page."""
        device = self.existing(request, object_id)
        return render(
            request, "admin/devices/device/fields.html", panes.device_context(device, timezone.now())
        )

    def commands_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The newest commands to a device, as the part of a page."""
        rows = panes.command_rows(self.existing(request, object_id), timezone.now())
        return render(request, "admin/devices/device/commands.html", {"command_rows": rows})

    def get_fieldsets(self, request: HttpRequest, obj: Device | None = None) -> list[Any]:
        identity = ["house", "name", "kind"] if obj else ["house", "name", "type"]
        return [
            (None, {"fields": [*identity, "label"]}),
            ("Reading it", {"fields": ["interval_s", *_settings(request, obj)]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Device | None = None) -> list[str]:
        return self.readonly_fields if obj else []

    def get_form(
        self, request: HttpRequest, obj: Device | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["form"] = form_for(_kind(request, obj), obj)
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
        if not (kind := _kind(request, None)):
            return self._choose_type(request)
        context = {
            **(extra_context or {}),
            "title": f"Add {panes.title_of(kind)}",
            "kind_title": panes.title_of(kind),
            "other_type": _with_type(request, None),
        }
        return cast(HttpResponse, super().add_view(request, form_url, context))

    def _choose_type(self, request: HttpRequest) -> HttpResponse:
        types = [
            {"name": kind, "title": title, "url": _with_type(request, kind)}
            for kind, title in panes.titles(drivers.kinds()).items()
        ]
        context = {"title": "Add a device", "opts": self.opts, "media": self.media, "types": types}
        return TemplateResponse(
            request, "admin/devices/device/types.html", {**self.admin_site.each_context(request), **context}
        )

    def page_context(self, request: HttpRequest, obj: Device) -> Mapping[str, Any]:
        return panes.device_context(obj, timezone.now())

    def is_enabled(self, obj: Device) -> bool:
        return obj.source.enabled

    def set_enabled(self, request: HttpRequest, obj: Device, enabled: bool) -> None:
        update_device(device=obj, enabled=enabled, by=cast(User, request.user))

    def hidden_actions(self, request: HttpRequest, obj: Device) -> set[str]:
        hidden = super().hidden_actions(request, obj)
        if deletion.under_way(obj):
            hidden |= {"enable", "erase", "command"}
        if not (obj.source.enabled and commands.offered(obj)):
            hidden |= {"command"}
        return hidden

    enable = switch(
        "enable",
        icon="play_arrow",
        title="Enable this device",
        consequence="The agent begins to read it when it next asks for its devices.",
    )
    disable = switch(
        "disable",
        icon="pause",
        title="Disable this device",
        consequence="Nothing new is accepted from it, at once. What it has stays.",
    )

    def has_command_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may tell a device what to do."""
        return self._known(request, obj) is not None and request.user.has_perm("devices.add_command")

    @action(description="Send a command", icon="terminal", permissions=["command"], url_path="command")
    def command(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page that asks what to tell the device, and tells it."""
        device = self.existing(request, object_id)
        offered = commands.offered(device) if device.source.enabled else {}
        chosen = offered.get(request.GET.get("action", "")) or _only(offered)
        if chosen is None:
            titles = {action: command.TITLE for action, command in offered.items()}
            return self._command_page(request, device, {"offered": titles})
        form = command_form(device, chosen, cast(User, request.user))(request.POST or None)
        if request.method == "POST" and form.is_valid() and (sent := form.perform()):
            messages.success(
                request, f"{commands.in_words(sent)}: the agent of {device.source.house} is asked to do it."
            )
            return HttpResponseRedirect(_page(device))
        about = {"command_title": chosen.TITLE, "command_help": chosen.HELP, "others": len(offered) > 1}
        return self._command_page(request, device, {"form": form, **about})

    def _command_page(self, request: HttpRequest, device: Device, more: Mapping[str, Any]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Tell {device} what to do",
            "opts": self.opts,
            "original": device,
            "media": self.media,
            "device": device,
            "page": _page(device),
            **more,
        }
        return TemplateResponse(request, "admin/devices/device/command.html", context)

    @action(
        description="Synchronize configuration",
        icon="sync",
        permissions=["change"],
        dialog=SYNCHRONIZE_DIALOG,
    )
    def synchronize(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        device = self.existing(request, object_id)
        synchronize(house=device.source.house)
        self.log_change(request, device, "Configuration synchronized.")
        messages.success(request, f"The agent of {device.source.house} is asked to fetch its devices again.")
        return leave_dialog(request, _page(device))

    @action(
        description="Delete",
        icon="delete",
        permissions=["erase"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Delete this device",
            "description": "Its settings and everything it ever said go with it: all readings, all events."
            " Nothing brings them back. To only stop reading it, disable it.",
            "form_class": DeviceNameForm,
            "form_submit_text": "Delete for good",
        },
    )
    def erase(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        device = self.existing(request, object_id)
        try:
            job = delete_device(device=device, by=cast(User, request.user))
        except ValidationError as error:
            messages.error(request, error.messages[0])
            return leave_dialog(request, _page(device))
        self.log_deletions(request, [device])
        return leave_dialog(request, reverse("admin:jobs_job_change", args=[job.pk]))


def _page(device: Device) -> str:
    return reverse("admin:devices_device_change", args=[device.pk])


def _only(offered: Mapping[str, type[drivers.Command]]) -> type[drivers.Command] | None:
    return next(iter(offered.values())) if len(offered) == 1 else None


def _kind(request: HttpRequest, device: Device | None) -> str:
    """The type of a device, or of the one being added; empty where there is no such type (any more)."""
    asked = device.type if device else request.POST.get("type") or request.GET.get("type", "")
    return asked if asked in drivers.kinds() else ""


def _settings(request: HttpRequest, device: Device | None) -> list[str]:
    """The names of the form's fields for the settings of the type."""
    kind = _kind(request, device)
    return list(settings_fields.fields_of(kind, stored=device.secrets if device else ())) if kind else []


def _with_type(request: HttpRequest, kind: str | None) -> str:
    """This page's address for another type, or for none; what else was asked stays."""
    asked = {name: value for name, value in request.GET.items() if name != "type"}
    return f"{request.path}?{urlencode(asked | ({'type': kind} if kind else {}))}"
