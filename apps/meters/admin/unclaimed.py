"""Loggers that call and that nobody has added, to be adopted for a house."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display

from apps.accounts import once
from apps.accounts.models import User
from apps.devices.panes import since
from apps.houses.scoped_admin import ReadOnlyAdmin, leave_dialog
from apps.meters.admin.loggers import logger_page, password_place
from apps.meters.forms import AdoptForm
from apps.meters.loggers import add_logger
from apps.meters.models import UnclaimedLogger


@admin.register(UnclaimedLogger)
class UnclaimedLoggerAdmin(ReadOnlyAdmin):
    """Of no house, so all operators see them; the newest first."""

    list_display = ["serial", "loop_name", "address", "attempts", "first_at", "last"]
    search_fields = ["serial", "loop_name", "address"]
    fields = ["serial", "loop_name", "address", "attempts", ("first_at", "last_at")]
    when_empty = (
        "A logger that calls with a serial number that nobody has added shows here, to be adopted for a"
        " house. It is refused until then, and keeps its files."
    )
    actions_detail = ["adopt"]
    actions_row = ["adopt"]

    @display(description="Last seen", ordering="last_at")
    def last(self, unclaimed: UnclaimedLogger) -> str:
        return since(unclaimed.last_at, timezone.now())

    def has_adopt_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may add loggers."""
        return request.user.has_perm("meters.add_logger")

    @action(
        description="Adopt",
        icon="add_home",
        permissions=["adopt"],
        dialog={
            "title": "Adopt this logger",
            "description": "From then on its files are taken for this house. It is heard when it next calls.",
            "form_class": AdoptForm,
            "form_submit_text": "Adopt",
        },
    )
    def adopt(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        unclaimed: UnclaimedLogger = self.existing(request, object_id)
        given = form.cleaned_data
        try:
            logger, password = add_logger(
                house=given["house"],
                serial=unclaimed.serial,
                label=given["label"],
                password=given["secret"],
                opens_meters=given["opens_meters"],
                now=timezone.now(),
                by=cast(User, request.user),
            )
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return leave_dialog(request, reverse("admin:meters_unclaimedlogger_changelist"))
        if not given["secret"]:
            once.keep(request, password_place(logger), password)
        messages.success(request, f"{logger} is adopted for {logger.house}.")
        return leave_dialog(request, logger_page(logger))
