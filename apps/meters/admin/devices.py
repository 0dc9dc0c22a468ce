"""Devices behind loggers: what their columns mean, whose they are, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.devices.panes import age
from apps.houses.scoped_admin import (
    DetailedAdmin,
    ReadOnlyAdmin,
    ScopedHistoryAdmin,
    VisibleFilter,
    leave_dialog,
)
from apps.meters import answering, health, layouts, metering, samples
from apps.meters.acquisuite import mapping
from apps.meters.acquisuite.mapping import Target
from apps.meters.admin.states import annotated, state_of
from apps.meters.forms import AssignForm, PointForm, point_forms, stamp_of
from apps.meters.models import Layout, LoggerDevice
from apps.readings.times import moment


class StateFilter(admin.SimpleListFilter):
    """The devices that somebody should look at."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return [
            ("asks", "Needs mapping"),
            ("unassigned", "No meter"),
            ("faulty", "Faulty or mute"),
            ("ignored", "Ignored"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The devices of the chosen state."""
        wanted = {
            "asks": Q(asks=True, ignored=False),
            "unassigned": Q(assigned=False, ignored=False),
            "faulty": Q(failing_since__isnull=False, ignored=False),
            "ignored": Q(ignored=True),
        }.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


@admin.register(LoggerDevice)
class LoggerDeviceAdmin(DetailedAdmin, ReadOnlyAdmin, ScopedHistoryAdmin):
    """Devices, by logger and address."""

    list_display = [
        "title",
        "house",
        "logger",
        "address",
        "device_class",
        "meter",
        "state",
        "newest",
        "waiting",
    ]
    list_display_links = ["title"]
    list_filter = [StateFilter, ("logger__house", VisibleFilter), ("logger", VisibleFilter), "device_class"]
    list_select_related = ["logger__house"]
    search_fields = ["name", "type", "logger__serial", "logger__label", "logger__house__name"]
    ordering = ["logger__house__name", "logger__serial", "address"]
    when_empty = "A device shows here once its logger sends a log of it."
    fields = [
        ("logger", "address"),
        ("name", "device_class"),
        ("type", "type_number"),
        ("state", "wrong"),
        ("first_seen_at", "last_seen_at"),
        ("newest_row_at", "newest_good_at"),
        "failing_since_at",
    ]
    readonly_fields = ["state", "wrong", "newest_row_at", "newest_good_at", "failing_since_at"]
    change_form_outer_before_template = "admin/meters/loggerdevice/layouts.html"
    actions_detail = ["assign", "ignore", "read"]

    class Media:
        css = {"all": ["css/devices.css", "css/meters.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[LoggerDevice]:
        return annotated(cast("QuerySet[LoggerDevice]", super().get_queryset(request)))

    @display(description="Device", ordering="name")
    def title(self, device: LoggerDevice) -> str:
        return device.name or f"Device {device.address}"

    @display(description="House", ordering="logger__house__name")
    def house(self, device: LoggerDevice) -> str:
        return str(device.logger.house)

    @display(description="Meter")
    def meter(self, device: Any) -> str | None:
        if device.meter_source is None:
            return None
        url = reverse("admin:meters_meter_change", args=[device.meter_source])
        return format_html('<a class="dialog-link" href="{}">{}</a>', url, device.meter_name)

    @display(description="State", label=health.DEVICE_LABELS)
    def state(self, device: Any) -> str:
        return state_of(device)

    @display(description="Newest row", ordering="newest_row")
    def newest(self, device: LoggerDevice) -> str | None:
        if device.newest_row is None:
            return None
        now = health.milliseconds(timezone.now())
        return format_html(
            '<span title="{}">{}</span>', moment(device.newest_row), age(now - device.newest_row)
        )

    @display(description="Waiting files", ordering="waiting_files")
    def waiting(self, device: Any) -> int | None:
        return device.waiting_files or None

    @display(description="What is wrong")
    def wrong(self, device: LoggerDevice) -> str | None:
        return health.fault(device) or None

    @display(description="Newest row")
    def newest_row_at(self, device: LoggerDevice) -> str | None:
        return moment(device.newest_row)

    @display(description="Newest row with values")
    def newest_good_at(self, device: LoggerDevice) -> str | None:
        return moment(device.newest_good)

    @display(description="Faulty since")
    def failing_since_at(self, device: LoggerDevice) -> str | None:
        return moment(device.failing_since)

    def has_map_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may say what its columns mean, and whose they are."""
        self._known(request, obj)
        return request.user.has_perm("meters.change_loggerdevice")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.map_view)
        own = path("<path:object_id>/layouts/<int:layout_id>/", view, name="meters_loggerdevice_map")
        return [own, *super().get_urls()]

    def page_context(self, request: HttpRequest, obj: LoggerDevice) -> Mapping[str, Any]:
        return {
            "device": obj,
            "layouts": _shown(obj),
            "assignments": _assignments(obj),
            "may_map": self.has_map_permission(request),
        }

    def map_view(self, request: HttpRequest, object_id: str, layout_id: int) -> HttpResponse:
        """Ask what each column is, and save the answers or tell what is wrong with them."""
        device: LoggerDevice = self.existing(request, object_id)
        if not self.has_map_permission(request):
            raise PermissionDenied
        layout = device.layouts.filter(pk=layout_id).first()
        if layout is None:
            raise Http404
        targets = _proposed(layout, request.GET.get("from", ""))
        rows = point_forms(targets, samples.newest(layout, len(targets)), request.POST or None)
        problems: list[str] = []
        answers = [row.is_valid() for row in rows]  # of all of them, so that each tells what is wrong
        if request.method == "POST" and all(answers):
            try:
                return self._answered(request, device, layout, rows)
            except ValidationError as error:
                problems = error.messages
        return self._map_page(request, device, layout, rows, problems)

    def _answered(
        self, request: HttpRequest, device: LoggerDevice, layout: Layout, rows: list[PointForm]
    ) -> HttpResponse:
        targets = mapping.told_apart([row.target for row in rows])
        by = cast(User, request.user)
        job = answering.answer(layout=layout, targets=targets, now=timezone.now(), by=by)
        self.log_change(request, device, f"Mapped {sum(one.used for one in targets)} points.")
        messages.success(request, "The points are mapped." + (" Its files are read now." if job else ""))
        return HttpResponseRedirect(_page(device))

    def _map_page(
        self,
        request: HttpRequest,
        device: LoggerDevice,
        layout: Layout,
        rows: list[PointForm],
        problems: list[str],
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Map {device}",
            "opts": self.opts,
            "original": device,
            "media": self.media,
            "device": device,
            "layout": layout,
            "since": moment(layout.valid_from) if layout.valid_from else "the beginning",
            "rows": rows,
            "problems": problems,
            "as_before": bool(layouts.as_before(layout)),
        }
        return TemplateResponse(request, "admin/meters/loggerdevice/map.html", context)

    def hidden_actions(self, request: HttpRequest, obj: LoggerDevice) -> set[str]:
        return {"ignore" if obj.ignored else "read"}

    @action(
        description="Assign a meter",
        icon="electric_meter",
        permissions=["map"],
        dialog={
            "title": "Assign a meter to this device",
            "description": "What it sends from then on, and has sent since, are the meter's readings. The"
            " meter that it is now ends there.",
            "form_class": AssignForm,
            "form_submit_text": "Assign",
        },
    )
    def assign(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        device: LoggerDevice = self.existing(request, object_id)
        meter, at = form.cleaned_data["meter"], stamp_of(form.cleaned_data["at"]) or 0
        try:
            made = metering.reassign(device=device, meter=meter, at=at, by=cast(User, request.user))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            self.log_change(request, device, f"Assigned to {made.meter}.")
            messages.success(request, f"{device} is {made.meter} from then on.")
        return leave_dialog(request, _page(device))

    @action(
        description="Ignore",
        icon="visibility_off",
        permissions=["map"],
        dialog={
            "title": "Ignore this device",
            "description": "Its files are taken and kept for a while as they come, and become no readings.",
            "form_submit_text": "Ignore",
        },
    )
    def ignore(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, ignored=True)

    @action(
        description="Read",
        icon="visibility",
        permissions=["map"],
        dialog={
            "title": "Read this device",
            "description": "Its files become readings again, also those that came meanwhile and are kept.",
            "form_submit_text": "Read",
        },
    )
    def read(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, ignored=False)

    def _switch(self, request: HttpRequest, object_id: str, *, ignored: bool) -> HttpResponse:
        device: LoggerDevice = self.existing(request, object_id)
        answering.ignore(device=device, ignored=ignored, by=cast(User, request.user))
        done = "ignored" if ignored else "read"
        self.log_change(request, device, f"{done.capitalize()} from now on.")
        messages.success(request, f"{device} is {done} from now on.")
        return leave_dialog(request, _page(device))


def _page(device: LoggerDevice) -> str:
    return reverse("admin:meters_loggerdevice_change", args=[device.pk])


def _shown(device: LoggerDevice) -> list[dict[str, Any]]:
    """The layouts with their points, the newest first."""
    found = device.layouts.prefetch_related("points").select_related("mapped_by")
    return [
        {
            "layout": layout,
            "since": moment(layout.valid_from) if layout.valid_from else "the beginning",
            "asks": layout.state == Layout.State.ASKS,
            "url": reverse("admin:meters_loggerdevice_map", args=[device.pk, layout.pk]),
        }
        for layout in found
    ]


def _assignments(device: LoggerDevice) -> list[dict[str, Any]]:
    found = device.assignments.select_related("meter__source").order_by("-starts")
    return [
        {
            "meter": one.meter,
            "from": moment(one.starts) if one.starts else "the beginning",
            "until": moment(one.ends) or "now",
            "url": reverse("admin:meters_assignment_change", args=[one.pk]),
        }
        for one in found
    ]


def _proposed(layout: Layout, source: str) -> list[Target]:
    """What the form begins with: what is mapped, what was before, or what can be guessed."""
    if source == "before":
        return layouts.as_before(layout)
    if layout.state == Layout.State.MAPPED and source != "guess":
        return [layouts.target_of(point) for point in layout.points.all()]
    return layouts.suggestion(layout)
