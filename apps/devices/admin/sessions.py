"""Charging sessions, and what was refused."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from apps.devices.edge.refusals import MESSAGES, Code
from apps.devices.models import ChargingSession, Refusal
from apps.houses.scoped_admin import ReadOnlyAdmin, VisibleFilter
from apps.readings.times import moment

MWH_PER_KWH = 1_000_000


@admin.register(ChargingSession)
class ChargingSessionAdmin(ReadOnlyAdmin):
    """Cars at chargers, newest first."""

    list_display = ["charger", "house", "start", "end", "duration", "energy"]
    list_filter = [("source__house", VisibleFilter)]
    list_select_related = ["source__house"]
    search_fields = ["source__name", "source__label", "source__house__name", "source__house__label"]
    fields = readonly_fields = ["charger", "house", "start", "start_seen", "end", "duration", "energy"]
    show_full_result_count = False
    when_empty = "A car at a charger makes a session, from when it is plugged in until it leaves."

    @display(description="Charger", ordering="source__name")
    def charger(self, session: ChargingSession) -> str:
        return str(session.source)

    @display(description="House", ordering="source__house__name")
    def house(self, session: ChargingSession) -> str:
        return str(session.source.house)

    @display(description="Start", ordering="at")
    def start(self, session: ChargingSession) -> str | None:
        return moment(session.started_at)

    @display(description="End", ordering="ended_at")
    def end(self, session: ChargingSession) -> str | None:
        return moment(session.ended_at)

    @display(description="Duration")
    def duration(self, session: ChargingSession) -> str | None:
        if session.duration_ms is None:
            return None
        minutes = round(session.duration_ms / 60_000)
        return f"{minutes // 60}:{minutes % 60:02} h"

    @display(description="Energy", ordering="energy_mwh")
    def energy(self, session: ChargingSession) -> str | None:
        return None if session.energy_mwh is None else f"{session.energy_mwh / MWH_PER_KWH:.2f} kWh"


@admin.register(Refusal)
class RefusalAdmin(ReadOnlyAdmin):
    """What houses sent that was not stored, the latest first."""

    list_display = ["house", "origin", "code", "field", "count", "first_at", "last_at"]
    list_filter = [("house", VisibleFilter), "code"]
    list_select_related = ["house", "source"]
    search_fields = ["name", "field", "house__name", "house__label"]
    fields = ["house", "origin", "code", "meaning", "field", "count", "first_at", "last_at"]
    readonly_fields = ["origin", "meaning"]
    when_empty = "All that houses sent was stored. What cannot be is counted here, with the reason."

    @display(description="Source", ordering="name")
    def origin(self, refusal: Refusal) -> str:
        """What the agent called it, where the house has no such source."""
        return refusal.name if refusal.source is None else str(refusal.source)

    @display(description="Meaning")
    def meaning(self, refusal: Refusal) -> str:
        return MESSAGES[Code(refusal.code)] if refusal.code in set(Code) else refusal.code
