"""Loggers in the admin: whether they are heard, how they fare, and what they are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display

from apps.accounts import once
from apps.accounts.models import User
from apps.devices.panes import since
from apps.houses.scoped_admin import DetailedAdmin, ScopedHistoryAdmin, VisibleFilter, leave_dialog
from apps.houses.switching import SwitchAdmin, switch
from apps.inbox.models import State
from apps.meters import health, metering
from apps.meters import loggers as mutations
from apps.meters.admin.states import devices_with_states
from apps.meters.forms import LoggerForm, PasswordForm, TakeOverForm, stamp_of
from apps.meters.models import Logger

WAITING = Count("devices__files", filter=Q(devices__files__receipt__state=State.NEEDS_MAPPING))
MOST_SESSIONS = 10


def password_place(logger: Logger) -> str:
    """Where a new password waits for the page that shows it."""
    return f"password-of-logger-{logger.pk}"


def logger_page(logger: Logger) -> str:
    """The address of a logger's page."""
    return reverse("admin:meters_logger_change", args=[logger.pk])


@admin.register(Logger)
class LoggerAdmin(DetailedAdmin, SwitchAdmin, ScopedHistoryAdmin):
    """Loggers, the silent ones first to be found by their state."""

    form = LoggerForm
    list_display = ["title", "serial", "house", "state", "upload", "usually", "flash", "waiting", "firmware"]
    list_display_links = ["title"]
    list_filter = [("house", VisibleFilter), "enabled", "battery_good"]
    list_select_related = ["house"]
    search_fields = ["serial", "label", "loop_name", "house__name", "house__label"]
    when_empty = (
        "An AcquiSuite, AcquiLite or Energy Monitoring Hub that sends its logs here. One that calls before it"
        " is added is among the unclaimed loggers."
    )
    change_form_outer_before_template = "admin/meters/logger/health.html"
    change_form_outer_after_template = "admin/meters/logger/password.html"
    actions_detail = ["enable", "disable", "change_password", "take_over"]

    class Media:
        css = {"all": ["css/devices.css", "css/meters.css"]}
        js = ["js/credential.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Logger]:
        """With the number of files that wait for people."""
        return cast("QuerySet[Logger]", super().get_queryset(request)).annotate(waiting_files=WAITING)

    def get_fieldsets(self, request: HttpRequest, obj: Logger | None = None) -> list[Any]:
        if obj is None:
            return [
                (None, {"fields": ["house", "serial", "label", "secret", "opens_meters", "log_period_s"]})
            ]
        return [(None, {"fields": [("serial", "house"), "label", "opens_meters", "log_period_s"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Logger | None = None) -> list[str]:
        return ["serial", "house"] if obj else []

    @display(description="Logger", ordering="label")
    def title(self, logger: Logger) -> str:
        return str(logger)

    @display(description="State", ordering="last_seen_at", label=health.LOGGER_LABELS)
    def state(self, logger: Logger) -> str:
        return health.logger_state(logger, timezone.now())

    @display(description="Last upload", ordering="last_upload_at")
    def upload(self, logger: Logger) -> str:
        return since(logger.last_upload_at, timezone.now())

    @display(description="Usually")
    def usually(self, logger: Logger) -> str | None:
        return health.usual_pause(logger) or None

    @display(description="Flash", ordering="blocks_in_use")
    def flash(self, logger: Logger) -> str | None:
        return None if logger.blocks_in_use is None else f"{logger.blocks_in_use:.0f} %"

    @display(description="Waiting files", ordering="waiting_files")
    def waiting(self, logger: Any) -> str | None:
        if not logger.waiting_files:
            return None
        url = f"{reverse('admin:meters_uploadfile_changelist')}?session__logger__id__exact={logger.pk}"
        return format_html(
            '<a class="dialog-link" href="{}&receipt__state=needs_mapping">{}</a>', url, logger.waiting_files
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What ever called is disabled instead: its sessions are the record of what arrived."""
        found = self._known(request, obj)
        unused = found is None or not (found.sessions.exists() or found.devices.exists())
        return unused and bool(super().has_delete_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Logger, form: Any, change: bool) -> None:
        by, given = cast(User, request.user), form.cleaned_data
        if change:
            mutations.update_logger(
                logger=obj,
                label=given["label"],
                opens_meters=given["opens_meters"],
                log_period_s=given["log_period_s"] or 0,
                by=by,
            )
            metering.declare_all(logger=obj)
            return
        typed = given.pop("secret")
        logger, password = mutations.add_logger(**given, password=typed, now=timezone.now(), by=by)
        obj.pk, obj._state.adding = logger.pk, False
        if not typed:
            once.keep(request, password_place(obj), password)

    def response_add(
        self, request: HttpRequest, obj: Logger, post_url_continue: str | None = None
    ) -> HttpResponse:
        """On to its page, where the password is shown."""
        messages.success(request, f"{obj} is added. Set its password on the logger.")
        return HttpResponseRedirect(logger_page(obj))

    def page_context(self, request: HttpRequest, obj: Logger) -> Mapping[str, Any]:
        context = {
            "logger": obj,
            "health": _health(obj),
            "devices": devices_with_states(obj),
            "sessions": obj.sessions.all()[:MOST_SESSIONS],
        }
        if request.method == "GET":
            context["password"] = once.take(request, password_place(obj))
            context["upload_url"] = request.build_absolute_uri(reverse("acquisuite"))
        return context

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], add: bool = False, **options: Any
    ) -> HttpResponse:
        """Saving a new logger always leads to its page: one button says so."""
        context |= {"show_save_and_add_another": False, "show_save_and_continue": not add}
        return cast(HttpResponse, super().render_change_form(request, context, add, **options))

    def is_enabled(self, obj: Logger) -> bool:
        return obj.enabled

    def set_enabled(self, request: HttpRequest, obj: Logger, enabled: bool) -> None:
        mutations.set_enabled(logger=obj, enabled=enabled, by=cast(User, request.user))

    enable = switch(
        "enable",
        icon="play_arrow",
        title="Enable this logger",
        consequence="What it sends is taken again, within a minute.",
    )
    disable = switch(
        "disable",
        icon="pause",
        title="Disable this logger",
        consequence="Within a minute it is refused. It keeps its files meanwhile, for weeks, and sends"
        " them once it is enabled again.",
    )

    @action(
        description="Change password",
        icon="key",
        permissions=["change"],
        dialog={
            "title": "Change the password of this logger",
            "description": "Within a minute it is refused until the new password is set on it.",
            "form_class": PasswordForm,
            "form_submit_text": "Change",
        },
    )
    def change_password(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        logger: Logger = self.existing(request, object_id)
        typed = form.cleaned_data["secret"]
        password = mutations.change_password(
            logger=logger, password=typed, now=timezone.now(), by=cast(User, request.user)
        )
        if not typed:
            once.keep(request, password_place(logger), password)
        self.log_change(request, logger, "Password changed.")
        return leave_dialog(request, logger_page(logger))

    @action(
        description="Take another's place",
        icon="swap_horiz",
        permissions=["change"],
        dialog={
            "title": "Let this logger take another's place",
            "description": "The meters of the old logger go on with this one, address by address.",
            "form_class": TakeOverForm,
            "form_submit_text": "Take its place",
        },
    )
    def take_over(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        logger: Logger = self.existing(request, object_id)
        old, at = form.cleaned_data["old"], stamp_of(form.cleaned_data["at"]) or 0
        try:
            moved = metering.take_over(old=old, new=logger, at=at, by=cast(User, request.user))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            self.log_change(request, logger, f"Took the place of {old.serial}.")
            messages.success(request, f"{len(moved)} meters of {old} go on with {logger}.")
        return leave_dialog(request, logger_page(logger))


def _health(logger: Logger) -> list[tuple[str, str, str]]:
    """(what, value, colour) for the page; what is not known is left out."""
    now = timezone.now()
    state = health.logger_state(logger, now)
    flash, battery = (
        logger.blocks_in_use,
        {True: "good", False: "bad"}.get(cast(bool, logger.battery_good), ""),
    )
    found = [
        ("State", state, health.LOGGER_LABELS[state]),
        ("Last upload", since(logger.last_upload_at, now), ""),
        ("Usually", health.usual_pause(logger), ""),
        ("Readings are here within", health.usual_delay(logger), ""),
        ("Log period", health.span(logger.period_s), ""),
        ("Flash used", "" if flash is None else f"{flash:.0f} %", _flash_colour(flash)),
        ("Battery", battery, "danger" if battery == "bad" else ""),
        ("Firmware", logger.firmware, ""),
        ("Running for", health.span(logger.uptime_s), ""),
        ("Starts", "" if logger.boot_count is None else str(logger.boot_count), ""),
        ("Signal", logger.gsm_signal, ""),
        ("Calls itself", logger.loop_name, ""),
        ("Address", logger.address or "", ""),
        ("Log-ins refused", str(logger.refused_count) if logger.refused_count else "", "warning"),
    ]
    return [one for one in found if one[1]]


def _flash_colour(percent: float | None) -> str:
    if percent is None or percent < health.FULL:
        return ""
    return "danger" if percent >= health.VERY_FULL else "warning"
