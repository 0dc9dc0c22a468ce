"""Which device is which meter, from when to when."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from apps.accounts.models import User
from apps.houses.scoped_admin import ScopedHistoryAdmin, VisibleFilter
from apps.meters import metering
from apps.meters.forms import AssignmentForm
from apps.meters.models import Assignment
from apps.readings.times import moment


class CheckedAssignmentForm(AssignmentForm):
    """The mutation itself says what is wrong: it is rehearsed and undone again."""

    user: User

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            with transaction.atomic():
                self.perform()
                transaction.set_rollback(True)
        return cleaned

    def perform(self) -> Assignment:
        """Save it, or its new end. Raises ValidationError."""
        starts, ends = self.stamps()
        if self.instance.pk is not None:
            stored = Assignment.objects.select_related("device__logger", "meter__source")
            kept = stored.get(pk=self.instance.pk)
            metering.end(assignment=kept, ends=ends, by=self.user)
            return kept
        return metering.assign(
            device=self.cleaned_data["device"],
            meter=self.cleaned_data["meter"],
            starts=starts,
            ends=ends,
            by=self.user,
        )


@admin.register(Assignment)
class AssignmentAdmin(ScopedHistoryAdmin):
    """Assignments; of one that is there the end may be changed."""

    form = CheckedAssignmentForm
    list_display = ["meter", "house", "logger", "address", "start", "end"]
    list_filter = [("meter__source__house", VisibleFilter), ("device__logger", VisibleFilter)]
    list_select_related = ["meter__source__house", "device__logger"]
    search_fields = ["meter__source__name", "meter__source__label", "device__logger__serial", "device__name"]
    ordering = ["meter__source__house__name", "meter__source__name", "-starts"]
    when_empty = "It says from when to when a device is a meter, so that a meter outlives its devices."

    @display(description="House", ordering="meter__source__house__name")
    def house(self, assignment: Assignment) -> str:
        return str(assignment.meter.source.house)

    @display(description="Logger", ordering="device__logger__serial")
    def logger(self, assignment: Assignment) -> str:
        return str(assignment.device.logger)

    @display(description="Address", ordering="device__address")
    def address(self, assignment: Assignment) -> int:
        return assignment.device.address

    @display(description="From", ordering="starts")
    def start(self, assignment: Assignment) -> str | None:
        return moment(assignment.starts) if assignment.starts else "the beginning"

    @display(description="Until", ordering="ends")
    def end(self, assignment: Assignment) -> str | None:
        return moment(assignment.ends)

    def get_fieldsets(self, request: HttpRequest, obj: Assignment | None = None) -> list[Any]:
        fields = ["device", "meter", "start", "until"] if obj else ["device", "meter", "from_", "until"]
        return [(None, {"fields": fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> list[str]:
        return ["device", "meter", "start"] if obj else []

    def get_form(
        self, request: HttpRequest, obj: Assignment | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.user = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Assignment, form: Any, change: bool) -> None:
        saved = form.perform()
        obj.pk, obj._state.adding = saved.pk, False

    def delete_model(self, request: HttpRequest, obj: Assignment) -> None:
        metering.remove(assignment=obj, by=cast(User, request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        for one in queryset.select_related("device__logger"):
            metering.remove(assignment=one, by=cast(User, request.user))
