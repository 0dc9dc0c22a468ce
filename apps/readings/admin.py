"""Sources and series, to look at. All that can be set is the unit of a series nobody declared."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.decorators import display

from apps.houses.scoped_admin import ReadOnlyAdmin, VisibleFilter
from apps.readings import times
from apps.readings.models import Series, Source
from apps.readings.series import SeriesConflict, set_unit


def moment(stamp: int | None) -> str | None:
    """A stamp in words, for lists and pages, where there is one."""
    return None if stamp is None else times.moment(stamp)


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    when_empty = "A source appears here with the device it belongs to."
    list_display = ["house", "name", "label", "namespace", "enabled", "newest_reading"]
    list_display_links = ["name"]
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
class SeriesAdmin(ReadOnlyAdmin):
    when_empty = "A device's series appear here when it is added."
    list_display = ["house", "source", "field", "quantity", "unit", "short_kind", "every", "sign"]
    list_display_links = ["field"]
    ordering = ["source__house__name", "source__name", "field"]
    list_filter = ["kind", "unit", ("source__house", VisibleFilter)]
    list_select_related = ["source__house"]
    search_fields = ["field", "source__name", "source__label", "quantity"]
    fields = ["source", "field", "quantity", "unit", "kind", "cadence", "sign"]

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
        """Only while the unit is unknown; a list page asks without an object."""
        series = self._known(request, obj)
        return series is not None and not series.unit and self.has_view_permission(request, series)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in self.fields if name not in {"unit", "kind"}]

    def save_model(self, request: HttpRequest, obj: Series, form: ModelForm[Series], change: bool) -> None:
        if not obj.unit:
            return
        try:
            set_unit(series=obj, unit=obj.unit, kind=obj.kind)
        except SeriesConflict as error:
            self.message_user(request, str(error), messages.ERROR)
