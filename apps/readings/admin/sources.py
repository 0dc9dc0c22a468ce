"""Sources and series: to look at, and to set what is not known of a series, or of a counter's register."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.decorators import display

from apps.accounts.models import User
from apps.houses.scoped_admin import ReadOnlyAdmin, ScopedHistoryAdmin, VisibleFilter
from apps.readings.models import Kind, Series, Source
from apps.readings.series import SeriesConflict, set_counter, set_unit
from apps.readings.times import moment

COUNTED = {"rating", "modulus"}
ROLLED_UP = "The days of this source are worked out again. That takes some minutes for each year of readings."


@admin.register(Source)
class SourceAdmin(ScopedHistoryAdmin, ReadOnlyAdmin):
    when_empty = "A source appears here with the device it belongs to."
    list_display = ["name", "label", "house", "namespace", "enabled", "newest_reading"]
    ordering = ["house__name", "name"]
    list_filter = ["namespace", "enabled", ("house", VisibleFilter)]
    list_select_related = ["house", "latest"]
    search_fields = ["name", "label", "house__name", "house__label"]
    fields = ["house", "namespace", "name", "label", "enabled", "newest_reading", "sealed"]
    readonly_fields = ["newest_reading", "sealed"]

    @display(description="Newest reading", ordering="latest__newest")
    def newest_reading(self, source: Source) -> str | None:
        return moment(source.latest.newest) if hasattr(source, "latest") else None

    @display(description="Sealed before")
    def sealed(self, source: Source) -> str | None:
        return moment(source.sealed_before)


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
                set_counter(series=obj, rating=obj.rating, modulus=obj.modulus, by=by)
                self.message_user(request, ROLLED_UP)
        except SeriesConflict as error:
            self.message_user(request, str(error), messages.ERROR)


def _settable(series: Series) -> set[str]:
    unknown = set() if series.unit else {"unit", "kind"}
    return unknown | (COUNTED if series.kind == Kind.COUNTER else set())
