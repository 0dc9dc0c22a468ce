"""Meters: places where energy is measured, whatever logger and device do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display

from apps.accounts.models import User
from apps.devices.panes import age, in_words
from apps.houses.scoped_admin import DetailedAdmin, ScopedHistoryAdmin, VisibleFilter
from apps.houses.switching import SwitchAdmin, switch
from apps.meters import metering
from apps.meters.forms import MeterForm
from apps.meters.health import milliseconds
from apps.meters.models import Assignment, Meter
from apps.readings import store
from apps.readings.times import moment


@admin.register(Meter)
class MeterAdmin(DetailedAdmin, SwitchAdmin, ScopedHistoryAdmin):
    """Meters, each with the device that it is now."""

    form = MeterForm
    list_display = ["title", "house", "name", "device", "state", "newest"]
    list_display_links = ["title"]
    list_filter = [("source__house", VisibleFilter), "source__enabled"]
    list_select_related = ["source__house", "source__latest"]
    search_fields = ["source__name", "source__label", "source__house__name", "source__house__label"]
    ordering = ["source__house__name", "source__name"]
    when_empty = (
        "A device of a known class becomes a meter by itself. Its readings stay with the meter when the"
        " device or its logger is replaced."
    )
    change_form_outer_before_template = "admin/meters/meter/state.html"
    actions_detail = ["enable", "disable"]

    class Media:
        css = {"all": ["css/devices.css", "css/meters.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Meter]:
        """With the device that each is now."""
        lasting = Assignment.objects.filter(meter=OuterRef("pk"), ends=None)
        found = cast("QuerySet[Meter]", super().get_queryset(request))
        return found.annotate(
            device_pk=Subquery(lasting.values("device")[:1]),
            device_address=Subquery(lasting.values("device__address")[:1]),
            device_logger=Subquery(lasting.values("device__logger__serial")[:1]),
        )

    @display(description="Meter", ordering="source__name")
    def title(self, meter: Meter) -> str:
        return str(meter)

    @display(description="House", ordering="source__house__name")
    def house(self, meter: Meter) -> str:
        return str(meter.source.house)

    @display(description="Name", ordering="source__name")
    def name(self, meter: Meter) -> str:
        return meter.source.name

    @display(description="Device")
    def device(self, meter: Any) -> str | None:
        if meter.device_pk is None:
            return None
        url = reverse("admin:meters_loggerdevice_change", args=[meter.device_pk])
        text = f"{meter.device_logger}, {meter.device_address}"
        return format_html('<a class="dialog-link" href="{}">{}</a>', url, text)

    @display(
        description="State", ordering="source__enabled", label={"enabled": "success", "disabled": "warning"}
    )
    def state(self, meter: Meter) -> str:
        return "enabled" if meter.source.enabled else "disabled"

    @display(description="Newest reading", ordering="source__latest__newest")
    def newest(self, meter: Meter) -> str:
        if not hasattr(meter.source, "latest"):
            return "never"
        stamp = meter.source.latest.newest
        return format_html(
            '<span title="{}">{}</span>', moment(stamp), age(milliseconds(timezone.now()) - stamp)
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # years of readings hang on it, and perhaps formulas: it is disabled instead

    def get_fieldsets(self, request: HttpRequest, obj: Meter | None = None) -> list[Any]:
        return [(None, {"fields": ["house", "name", "label"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Meter | None = None) -> list[str]:
        return ["house", "name"] if obj else []

    def get_form(
        self, request: HttpRequest, obj: Meter | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.user = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        by = cast(User, request.user)
        if change:
            metering.update_meter(meter=obj, label=form.cleaned_data["label"], by=by)
            return
        meter = metering.create_meter(**form.cleaned_data, by=by)
        obj.source = meter.source
        obj._state.adding = False

    def page_context(self, request: HttpRequest, obj: Meter) -> Mapping[str, Any]:
        return {"fields": _fields(obj), "assignments": _assignments(obj)}

    def is_enabled(self, obj: Meter) -> bool:
        return obj.source.enabled

    def set_enabled(self, request: HttpRequest, obj: Meter, enabled: bool) -> None:
        metering.update_meter(meter=obj, enabled=enabled, by=cast(User, request.user))

    enable = switch(
        "enable",
        icon="play_arrow",
        title="Enable this meter",
        consequence="It takes readings again.",
    )
    disable = switch(
        "disable",
        icon="pause",
        title="Disable this meter",
        consequence="It takes no more readings. What it has stays.",
    )


def _fields(meter: Meter) -> list[dict[str, Any]]:
    """Every series and state with its newest value."""
    newest = store.latest([meter.pk])[meter.pk]
    known = {one.field: one for one in meter.source.series.all()}
    now = milliseconds(timezone.now())
    return [
        {
            "name": name,
            "unit": known[name].unit if name in known else "",
            "kind": known[name].kind if name in known else "state",
            "value": in_words(newest[name][1]) if name in newest else "",
            "age": age(now - newest[name][0]) if name in newest else "",
        }
        for name in [*known, *sorted(newest.keys() - known.keys())]
    ]


def _assignments(meter: Meter) -> list[dict[str, Any]]:
    found = meter.assignments.select_related("device__logger").order_by("-starts")
    return [
        {
            "device": one.device,
            "from": moment(one.starts) if one.starts else "the beginning",
            "until": moment(one.ends) or "now",
            "url": reverse("admin:meters_loggerdevice_change", args=[one.device_id]),
        }
        for one in found
    ]
