"""Sources and series: to look at, and to set what is not known of a series, or of a counter's register."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.houses.scoped_admin import ReadOnlyAdmin, ScopedHistoryAdmin, VisibleFilter
from apps.readings.admin import sealing
from apps.readings.counter_settings import set_counter
from apps.readings.models import Kind, Series, Source
from apps.readings.retention import due_day, preview, set_keep
from apps.readings.series import SeriesConflict, set_unit
from apps.readings.times import moment

COUNTED = {"rating", "modulus"}


@admin.register(Source)
class SourceAdmin(ScopedHistoryAdmin, ReadOnlyAdmin):
    when_empty = "A source appears here with the device it belongs to."
    list_display = ["name", "label", "house", "namespace", "enabled", "newest_reading", "kept"]
    ordering = ["house__name", "name"]
    list_filter = ["namespace", "enabled", ("house", VisibleFilter)]
    list_select_related = ["house", "latest"]
    search_fields = ["name", "label", "house__name", "house__label"]
    fields = ["house", "namespace", "name", "label", "enabled", "newest_reading", "keep_raw_days", "sealed"]
    readonly_fields = ["house", "namespace", "name", "label", "enabled", "newest_reading", "sealed"]
    actions_detail = ["seal"]
    reading_actions = frozenset({"seal"})  # followed as a link, it shows a page

    @display(description="Newest reading", ordering="latest__newest")
    def newest_reading(self, source: Source) -> str | None:
        return moment(source.latest.newest) if hasattr(source, "latest") else None

    @display(description="Readings are kept", ordering="keep_raw_days")
    def kept(self, source: Source) -> str:
        return "for ever" if source.keep_raw_days is None else f"{source.keep_raw_days} days"

    @display(description="Sealed before")
    def sealed(self, source: Source) -> str | None:
        return moment(source.sealed_before)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who sees it and may say how long its readings are kept; a list page asks without an object."""
        allowed = request.user.has_perm("readings.change_source")
        return allowed and obj is not None and self.has_view_permission(request, obj)

    def has_seal_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may drop readings for good."""
        allowed = request.user.has_perm("readings.seal_source")
        return allowed and self.has_view_permission(request, obj)

    @action(description="Drop readings", icon="auto_delete", permissions=["seal"])
    def seal(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page that shows what would go, and asks for the name."""
        return sealing.page(request, self.existing(request, object_id), self)

    def save_model(self, request: HttpRequest, obj: Source, form: ModelForm[Source], change: bool) -> None:
        if "keep_raw_days" not in form.changed_data:
            return
        set_keep(source=obj, days=obj.keep_raw_days, by=cast(User, request.user))
        day = due_day(obj, timezone.now())
        if day is not None:
            ((_, going),) = preview([obj], day)
            self.message_user(
                request,
                f"Tonight the readings before {day:%d %B %Y} are dropped for good: {going.readings:,} of"
                f" {going.days:,} days. To keep them, empty the field again.",
                messages.WARNING,
            )


@admin.register(Series)
class SeriesAdmin(ScopedHistoryAdmin, ReadOnlyAdmin):
    when_empty = "A device's series appear here when it is added."
    list_display = ["field", "source", "house", "quantity", "unit", "short_kind", "every", "sign"]
    ordering = ["source__house__name", "source__name", "field"]
    list_filter = ["kind", "unit", ("source__house", VisibleFilter)]
    list_select_related = ["source__house"]
    search_fields = ["field", "source__name", "source__label", "quantity"]
    fields = ["source", "field", "quantity", "unit", "kind", "cadence", "sign", "rating", "modulus"]

    @display(description="Kind", ordering="kind")
    def short_kind(self, series: Series) -> str:
        return series.kind  # its page says what that means

    @display(description="Cadence", ordering="cadence")
    def every(self, series: Series) -> str | None:
        return None if series.cadence is None else f"{series.cadence:g} s"

    @display(description="House", ordering="source__house__name")
    def house(self, series: Series) -> str:
        return str(series.source.house)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who sees it, as long as there is something to set; a list page asks without an object."""
        series = self._known(request, obj)
        return series is not None and bool(_settable(series)) and self.has_view_permission(request, series)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        counted = obj is not None and obj.kind == Kind.COUNTER
        return [name for name in self.fields if counted or name not in COUNTED]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in self.fields if obj is None or name not in _settable(obj)]

    def save_model(self, request: HttpRequest, obj: Series, form: ModelForm[Series], change: bool) -> None:
        try:
            if {"unit", "kind"} & set(form.changed_data) and obj.unit:
                set_unit(series=obj, unit=obj.unit, kind=obj.kind)
            if COUNTED & set(form.changed_data):
                by = cast(User, request.user)
                count = set_counter(series=obj, rating=obj.rating, modulus=obj.modulus, by=by)
                self.message_user(request, f"A job works {count:,} days of {obj.source} out again.")
        except SeriesConflict as error:
            self.message_user(request, str(error), messages.ERROR)


def _settable(series: Series) -> set[str]:
    unknown = set() if series.unit else {"unit", "kind"}
    return unknown | (COUNTED if series.kind == Kind.COUNTER else set())
