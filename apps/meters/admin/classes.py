"""The classes of devices: what loggers number so, and what its points measure."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.decorators import display

from apps.accounts.models import User
from apps.houses.csv_admin import CsvAdmin
from apps.houses.scoped_admin import ScopedHistoryAdmin
from apps.meters import answering, transfer
from apps.meters.models import ClassPoint, DeviceClass


class ClassPointForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """A point of a class, whose unit may be none of its role's."""

    class Meta:
        model = ClassPoint
        fields = ["number", "role", "unit"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            answering.check_unit(cleaned["role"], cleaned["unit"])
        return cleaned


class ClassPointInline(TabularInline):
    """The points of a class."""

    model = ClassPoint
    form = ClassPointForm
    extra = 0
    hide_title = True


class KnownFilter(admin.SimpleListFilter):
    """Whether anybody has said what the points are."""

    title = "points known"
    parameter_name = "known"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The classes of the chosen answer."""
        if self.value() == "yes":
            return queryset.filter(known__gt=0)
        return queryset.filter(known=0) if self.value() == "no" else queryset


@admin.register(DeviceClass)
class DeviceClassAdmin(CsvAdmin, ScopedHistoryAdmin):
    """One table for all houses: operators look, administrators edit."""

    list_display = ["number", "title", "width", "mapped"]
    list_display_links = ["number", "title"]
    list_filter = [KnownFilter]
    search_fields = ["=number", "title"]
    fields = [("number", "width"), "title"]
    inlines = [ClassPointInline]
    when_empty = "A class says what the columns of a kind of meter are, so that new ones need no mapping."

    csv_columns = transfer.COLUMNS
    csv_row = transfer.row_of
    csv_save = transfer.save
    csv_help = (
        "The number says which class it is: one that is there is changed, any other added. Roles are a JSON"
        " object from point to role, with a unit where it is not the role's own."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeviceClass]:
        found = cast("QuerySet[DeviceClass]", super().get_queryset(request))
        return found.annotate(known=Count("points")).prefetch_related("points")

    @display(description="Points known", ordering="known")
    def mapped(self, device_class: Any) -> int | None:
        return device_class.known or None

    def get_readonly_fields(self, request: HttpRequest, obj: DeviceClass | None = None) -> list[str]:
        return ["number"] if obj else []

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """With the points saved, the devices that waited for them are mapped."""
        super().save_related(request, form, formsets, change)
        by = cast(User, request.user)
        count = answering.apply_class(number=form.instance.number, now=timezone.now(), by=by)
        if count:
            messages.success(request, f"{count} waiting devices are mapped; their files are read now.")
