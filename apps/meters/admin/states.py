"""Devices together with what lists and pages say of them, in one query."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from apps.inbox.models import State
from apps.meters import health
from apps.meters.models import Assignment, Layout, Logger, LoggerDevice


def annotated(devices: QuerySet[LoggerDevice]) -> QuerySet[LoggerDevice]:
    """With `asks`, `assigned`, `meter_id` and `meter_name` of now, and `waiting_files`."""
    lasting = Assignment.objects.filter(device=OuterRef("pk"), ends=None)
    named = lasting.annotate(
        shown=Coalesce(NullIf(F("meter__source__label"), Value("")), F("meter__source__name"))
    )
    waits = Q(files__receipt__state=State.NEEDS_MAPPING)
    return devices.annotate(
        asks=Exists(Layout.objects.filter(device=OuterRef("pk"), state=Layout.State.ASKS)),
        assigned=Exists(lasting),
        meter_source=Subquery(named.values("meter")[:1]),
        meter_name=Subquery(named.values("shown")[:1]),
        waiting_files=Count("files", filter=waits),
    )


def state_of(device: Any) -> str:
    """The state of an annotated device, a key of health.DEVICE_LABELS."""
    return health.device_state(device, asks=device.asks, assigned=device.assigned)


def devices_with_states(logger: Logger) -> list[dict[str, Any]]:
    """The devices of a logger for its page."""
    found = annotated(LoggerDevice.objects.filter(logger=logger)).order_by("address")
    return [
        {"device": device, "state": state, "colour": health.DEVICE_LABELS[state]}
        for device in found
        for state in [state_of(device)]
    ]
