"""Events in the admin, to look at."""

from __future__ import annotations

import json

from django.contrib import admin
from unfold.decorators import display

from apps.devices.models import Event
from apps.houses.scoped_admin import ReadOnlyAdmin, VisibleFilter, preformatted
from apps.readings.times import moment


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What happened, newest first."""

    list_display = ["time", "house", "origin", "type", "summary"]
    list_filter = [("house", VisibleFilter), "type"]
    list_select_related = ["house", "source"]
    search_fields = ["type", "source__name", "source__label", "house__name", "house__label"]
    fields = ["house", "origin", "time", "type", "content"]
    readonly_fields = ["origin", "time", "content"]
    show_full_result_count = False
    when_empty = "What happens at devices stands here: a car that comes or leaves, a state, a warning."

    @display(description="Time", ordering="timestamp")
    def time(self, event: Event) -> str | None:
        return moment(event.timestamp)

    @display(description="Source", ordering="source__name")
    def origin(self, event: Event) -> str:
        return "the agent" if event.source is None else str(event.source)

    @display(description="Data")
    def summary(self, event: Event) -> str:
        text = json.dumps(event.data, ensure_ascii=False)
        return text if len(text) <= 120 else f"{text[:119]}…"

    @display(description="Data")
    def content(self, event: Event) -> str:
        return preformatted(json.dumps(event.data, indent=2, ensure_ascii=False))
