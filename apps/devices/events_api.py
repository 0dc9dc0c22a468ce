"""What happened in a house, for people and their programs, page by page from the newest."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.errors import described, refusal
from apps.accounts.queries import Query
from apps.devices.models import Event, EventQuerySet
from apps.houses.api import visible_house
from apps.houses.models import House
from apps.readings.models import Namespace
from apps.readings.ranges import LAST_MS

MOST = 1_000  # in one answer
USUAL = 100
MOST_NAMES = 50  # in one question
PLACE = r"^[0-9]{1,15}(\.[0-9]{1,18})?$"

_EXAMPLE = OpenApiExample(
    "One event, and older ones to ask for",
    response_only=True,
    status_codes=["200"],
    value={
        "events": [
            {
                "timestamp": 1767225600000,
                "source": "ev1",
                "type": "EV_END_CHARGING",
                "data": {"duration": 5400000, "energy": 7350000},
            }
        ],
        "before": "1767225600000.4711",
    },
)


class EventAnswer(serializers.Serializer[Any]):
    """Something that happened; `source` is null for what the agent itself tells."""

    timestamp = serializers.IntegerField(help_text="Unix ms")
    source = serializers.CharField(allow_null=True, source="source__name")  # type: ignore[assignment]
    type = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]


class EventsAnswer(serializers.Serializer[Any]):
    """Newest first. `before` asks for the older ones; null when there are none."""

    events = EventAnswer(many=True)
    before = serializers.CharField(allow_null=True)


class Names(serializers.ListField):
    """A parameter that may repeat."""

    child = serializers.CharField(min_length=1, max_length=64, trim_whitespace=False)


class EventsQuery(Query):
    """Which events: those that fit every parameter given, and any of the values of one."""

    start = serializers.IntegerField(
        min_value=0, max_value=LAST_MS, required=False, help_text="Unix ms, included."
    )
    end = serializers.IntegerField(
        min_value=0, max_value=LAST_MS, required=False, help_text="Unix ms, excluded."
    )
    source = Names(  # type: ignore[assignment]
        required=False, allow_empty=False, max_length=MOST_NAMES, help_text="Name of a source; may repeat."
    )
    type = Names(required=False, allow_empty=False, max_length=MOST_NAMES, help_text="May repeat.")
    before = serializers.RegexField(
        PLACE,
        required=False,
        help_text="Only older ones: `before` of the last answer, or Unix ms.",
        error_messages={"invalid": "Give what “before” of an answer said, or Unix milliseconds."},
    )
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=USUAL)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("end", LAST_MS + 1) <= attrs.get("start", -1):
            raise refusal("end", "empty_range", "The range must end after its start.")
        return attrs


class EventsView(APIView):
    """What happened in a house."""

    @extend_schema(
        summary="Events, newest first",
        parameters=[EventsQuery],
        responses={200: EventsAnswer, **described(400, 401, 404, 429)},
        examples=[_EXAMPLE],
    )
    def get(self, request: Request, house_id: int) -> Response:
        """At most `limit` of them; go on with `before` of the answer, which leaves out and repeats none."""
        house = visible_house(request, house_id)
        query = EventsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response(EventsAnswer(_page(house, **query.validated_data)).data)


def _page(house: House, *, limit: int, **asked: Any) -> dict[str, Any]:
    found = _found(house, **asked).values("id", "timestamp", "source__name", "type", "data")
    events = list(found[: limit + 1])
    more, events = len(events) > limit, events[:limit]
    return {"events": events, "before": "{timestamp}.{id}".format(**events[-1]) if more else None}


def _found(
    house: House,
    *,
    start: int | None = None,
    end: int | None = None,
    source: list[str] | None = None,
    type: list[str] | None = None,  # noqa: A002  the parameter's name
    before: str | None = None,
) -> EventQuerySet:
    found = Event.objects.filter(house=house)
    if start is not None:
        found = found.filter(timestamp__gte=start)
    if end is not None:
        found = found.filter(timestamp__lt=end)
    if type is not None:
        found = found.filter(type__in=type)
    if before is not None:
        found = found.filter(_older(before))
    return found if source is None else found.filter(source__in=_sources(house, source))


def _older(place: str) -> Q:
    """Older than an event, told as its stamp and number; without a number, than the stamp."""
    stamp, _, number = place.partition(".")
    if not number:
        return Q(timestamp__lt=int(stamp))
    # The first half alone lets the index find the place.
    return Q(timestamp__lte=int(stamp)) & (Q(timestamp__lt=int(stamp)) | Q(id__lt=int(number)))


def _sources(house: House, names: list[str]) -> list[int]:
    """The sources of these names. Raises ValidationError for a name that none has."""
    known = dict(
        house.sources.exclude(namespace=Namespace.ANALYTICS).filter(name__in=names).values_list("name", "id")
    )
    if unknown := next((name for name in names if name not in known), None):
        raise refusal("source", "unknown_source", f"This house has no source “{unknown}”.")
    return list(known.values())
