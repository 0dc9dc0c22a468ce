"""Sources, their newest values, and series over time, for people and their programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.errors import described, refusal
from apps.accounts.queries import no_parameters
from apps.houses.api import visible_house
from apps.houses.models import House
from apps.readings import bins, names, raw, store
from apps.readings.csv_answers import written
from apps.readings.models import Kind, Namespace, Series, Source
from apps.readings.ranges import RangeQuery, check_bins, choice
from apps.readings.rollups import Columns
from apps.readings.units import of_aggregate

MAX_SERIES = 50  # in one answer
AGGREGATES = ["mean", "min", "max", "sum", "count", "integral", "increase"]


class Points(TypedDict, total=False):
    """One series of an answer: equally long lists."""

    unit: str
    timestamps: list[int]
    values: list[float]
    coverage: list[float]


class FieldAnswer(serializers.Serializer[Any]):
    """One field of a source. `series` is its full name; an empty `unit` is not known."""

    name = serializers.CharField()
    series = serializers.CharField()
    quantity = serializers.CharField()
    unit = serializers.CharField()
    kind = serializers.ChoiceField(Kind.choices)
    cadence = serializers.FloatField(allow_null=True, help_text="Declared seconds between readings.")
    sign = serializers.CharField(help_text="Sign convention, in words.")


class SourceAnswer(serializers.Serializer[Any]):
    """A named thing in a house whose fields are series."""

    name = serializers.CharField()
    namespace = serializers.ChoiceField(Namespace.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    enabled = serializers.BooleanField()
    fields = FieldAnswer(many=True)  # type: ignore[assignment]


# An object with free keys at the top is more than a serializer can describe.
LATEST_ANSWER = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["timestamp", "value", "unit"],
        "properties": {
            "timestamp": {"type": "integer", "description": "Unix ms"},
            "value": {
                "oneOf": [{"type": "number"}, {"type": "string"}, {"type": "boolean"}],
                "description": "States are texts or booleans.",
            },
            "unit": {"type": "string"},
        },
    },
}


class PointsAnswer(serializers.Serializer[Any]):
    """Equally long lists. Bins are stamped with their start; null is missing."""

    unit = serializers.CharField()
    timestamps = serializers.ListField(child=serializers.IntegerField())
    values = serializers.ListField(child=serializers.FloatField(allow_null=True))
    coverage = serializers.ListField(
        child=serializers.FloatField(min_value=0, max_value=1),
        required=False,
        help_text="With `every`: the part of each bin that readings vouch for.",
    )


class SeriesAnswer(serializers.Serializer[Any]):
    """The series asked for, by the names they were asked by."""

    series = serializers.DictField(child=PointsAnswer())


class SeriesQuery(RangeQuery):
    """Which series, over which time, raw or in bins of the house's calendar."""

    series = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        allow_empty=False,
        max_length=MAX_SERIES,
        help_text="`source.field`, split at the first dot; may repeat.",
    )
    aggregate = choice(
        AGGREGATES,
        "What each bin tells (only with `every`), by default `mean`: the integral over the covered time."
        " `min`, `max`, `sum` and `count` are of the readings in it. Registers have `increase` in place of"
        " `mean` and `integral`.",
    )
    output = choice(["json", "csv"], "By default json.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "aggregate" in attrs and "every" not in attrs:
            raise refusal("aggregate", "needs_every", "An aggregate needs bins: add “every”.")
        return attrs


class SourcesView(APIView):
    """What yields numbers in a house."""

    @extend_schema(
        summary="List the sources of a house",
        responses={200: SourceAnswer(many=True), **described(400, 401, 404)},
    )
    def get(self, request: Request, house_id: int) -> Response:
        """With their fields: unit, kind, quantity, cadence and sign convention."""
        house = visible_house(request, house_id)
        no_parameters(request)
        sources = house.sources.prefetch_related("series")
        return Response([_source(source) for source in sources])


class LatestView(APIView):
    """The newest values of a house."""

    @extend_schema(
        summary="Newest value of every field",
        responses={200: LATEST_ANSWER, **described(400, 401, 404)},
        examples=[
            OpenApiExample(
                "One field",
                value={"egauge.A.Solar": {"timestamp": 1767225600000, "value": 3.2, "unit": "kW"}},
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: Request, house_id: int) -> Response:
        """By `source.field`, states included."""
        house = visible_house(request, house_id)
        no_parameters(request)
        return Response(_latest(house))


class DamagedReadings(APIException):
    """What is stored fails its checksum. Operators are told by an alert; the rest can be asked for."""

    status_code = 500
    default_code = "damaged_readings"

    def __init__(self, where: store.CorruptPayload) -> None:
        super().__init__(f"Readings of this time are damaged on our side: {where} Ask for another time.")


class ReadingsView(APIView):
    """A view that reads what is stored."""

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(
            DamagedReadings(exc) if isinstance(exc, store.CorruptPayload) else exc
        )


class SeriesView(ReadingsView):
    """Series over time."""

    @extend_schema(
        summary="Series, raw or in bins",
        parameters=[SeriesQuery],
        responses={
            200: SeriesAnswer,
            (200, "text/csv"): OpenApiResponse(str, "With `output=csv`: a line for each stamp."),
            **described(400, 401, 404, 500),
        },
        examples=[
            OpenApiExample(
                "A day in hours",
                value={
                    "series": {
                        "egauge.A.Solar": {
                            "unit": "kW",
                            "timestamps": [1767222000000, 1767225600000],
                            "values": [3.2, None],
                            "coverage": [1.0, 0.0],
                        }
                    }
                },
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: Request, house_id: int) -> HttpResponse:
        """Bins follow the house's calendar, are whole at both ends of the range, and are null where empty.

        Bins of an hour and longer come from rollups, those that readings have changed since from the
        readings. Registers (`counter`) have no mean: ask for their `increase`. Answers are bounded: 200,000
        readings, 500,000 bins, 50 series.
        """
        house = visible_house(request, house_id)
        query = SeriesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = _series(house, **query.validated_data)
        if query.validated_data.get("output") == "csv":
            return written(found, house)
        return HttpResponse(msgspec.json.encode({"series": found}), content_type="application/json")


def _source(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "namespace": source.namespace,
        "label": source.label,
        "enabled": source.enabled,
        "fields": [_field(source, one) for one in source.series.all() if not _is_reserved(one.field)],
    }


def _field(source: Source, series: Series) -> dict[str, Any]:
    return {
        "name": series.field,
        "series": names.full_name(source, series.field),
        "quantity": series.quantity,
        "unit": series.unit,
        "kind": series.kind,
        "cadence": series.cadence,
        "sign": series.sign,
    }


def _is_reserved(field: str) -> bool:
    """Whether a field describes others rather than the house."""
    return field.startswith("_")


def _latest(house: House) -> dict[str, dict[str, Any]]:
    sources = {source.pk: source for source in house.sources.all()}
    fields = Series.objects.filter(source__in=sources).order_by()
    units = {(source, field): unit for source, field, unit in fields.values_list("source", "field", "unit")}
    return {
        names.full_name(sources[source], field): {
            "timestamp": stamp,
            "value": value,
            "unit": units.get((source, field), ""),
        }
        for source, newest in store.latest(sources).items()
        for field, (stamp, value) in newest.items()
        if not _is_reserved(field)
    }


def _series(
    house: House,
    *,
    series: list[str],
    start: int,
    end: int,
    every: str | None = None,
    aggregate: str = "mean",
    **_: str,
) -> dict[str, Points]:
    try:
        wanted = names.find(house, dict.fromkeys(series))
    except names.UnknownSeriesError as error:
        raise refusal("series", "unknown_series", str(error)) from error
    if every is None:
        return _readings(wanted, start, end)
    _check(wanted, aggregate)
    check_bins(every, end - start, len(wanted))
    return _bins(house, wanted, every, aggregate, start, end)


def _readings(wanted: Mapping[str, Series], start: int, end: int) -> dict[str, Points]:
    try:
        found = raw.samples(list(wanted.values()), start=start, end=end)
    except raw.TooManyPointsError as error:
        raise refusal("end", "too_many_points", f"{error} Shorten the range or add “every”.") from error
    return {
        name: {
            "unit": one.unit,
            "timestamps": found[one.pk].stamps.tolist(),
            "values": found[one.pk].values.tolist(),
        }
        for name, one in wanted.items()
    }


def _bins(
    house: House, wanted: Mapping[str, Series], every: str, aggregate: str, start: int, end: int
) -> dict[str, Points]:
    found = bins.binned(
        list(wanted.values()),
        zone=house.time_zone,
        every=every,
        start=start,
        end=end,
        names=("covered", "integral" if aggregate == "mean" else aggregate),
    )
    return {name: _points(found[one.pk], one.unit, aggregate) for name, one in wanted.items()}


def _points(found: Columns, unit: str, aggregate: str) -> Points:
    """NaN is written as null by msgspec."""
    return {
        "unit": of_aggregate(aggregate, unit),
        "timestamps": found.edges[:-1].tolist(),
        "values": (found.count.astype(int) if aggregate == "count" else getattr(found, aggregate)).tolist(),
        "coverage": found.coverage.tolist(),
    }


def _check(wanted: Mapping[str, Series], aggregate: str) -> None:
    """Refuse what a kind of series does not have."""
    for name, one in wanted.items():
        if one.kind == Kind.COUNTER and aggregate in {"mean", "integral"}:
            text = f"“{name}” is a register, which has no {aggregate}; ask for “increase”."
            raise refusal("series", f"no_{aggregate}", text)
        if one.kind != Kind.COUNTER and aggregate == "increase":
            text = f"“{name}” is no register, so it has no increase; ask for “integral”."
            raise refusal("series", "no_increase", text)
