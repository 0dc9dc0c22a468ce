"""Formulas and analytics items over time, for people and their programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from apps.accounts.errors import described, refusal
from apps.accounts.roles import ANALYSTS
from apps.analytics import explanation, kept
from apps.analytics.csv_answers import written
from apps.analytics.definitions import formulas_of
from apps.analytics.evaluation import AGGREGATES, INCREASE, Answer, evaluate
from apps.analytics.explanation import Explanation
from apps.analytics.formula import MAX_LENGTH, FormulaError, Shape, expand, parse, shape, text
from apps.analytics.increases import registers
from apps.analytics.inputs import Bound, bind
from apps.analytics.load import TooMuchError
from apps.analytics.models import AnalyticsItem
from apps.houses.api import visible_house
from apps.houses.models import House
from apps.readings import calendar
from apps.readings.api import ReadingsView
from apps.readings.ranges import LAST_MS, RangeQuery, check_bins, choice
from apps.readings.times import milliseconds
from apps.readings.units import of_aggregate


class InputAnswer(serializers.Serializer[Any]):
    """Something the formula reads; `timestamps` are of the readings used, in a bin the first and the last."""

    series = serializers.CharField(help_text="As the formula writes it: a series, events, or an average.")
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="Of an average of several sources: all, with commas."
    )
    value = serializers.FloatField(allow_null=True)
    timestamps = serializers.ListField(child=serializers.IntegerField())
    coverage = serializers.FloatField(min_value=0, max_value=1, allow_null=True, help_text="null of events.")


class ExplanationAnswer(serializers.Serializer[Any]):
    """What a value comes from. With the values of `inputs` for their texts `expanded` gives `value`."""

    timestamp = serializers.IntegerField(help_text="The instant, or the start of the bin that holds it.")
    value = serializers.FloatField(allow_null=True)
    formula = serializers.CharField(help_text="As asked, or as it stands in the item.")
    expanded = serializers.CharField(help_text="With the items it names written out.")
    version = serializers.IntegerField(allow_null=True, help_text="Of the item's formula.")
    inputs = InputAnswer(many=True)


class EvaluateAnswer(serializers.Serializer[Any]):
    """Equally long lists, or one `value`. null is missing."""

    unit = serializers.CharField(required=False, help_text="Left out where it is not known.")
    timestamps = serializers.ListField(child=serializers.IntegerField(), required=False)
    values = serializers.ListField(child=serializers.FloatField(allow_null=True), required=False)
    value = serializers.FloatField(
        required=False, allow_null=True, help_text="Of a number, or of `aggregate` without `every`."
    )
    coverage = serializers.ListField(
        child=serializers.FloatField(min_value=0, max_value=1),
        required=False,
        help_text="Of bins of signals: the part over which the formula is defined.",
    )
    explain = ExplanationAnswer(required=False)


class EvaluateQuery(RangeQuery):
    """Which formula, over which time, and how."""

    formula = serializers.CharField(
        required=False,
        max_length=MAX_LENGTH,
        trim_whitespace=False,  # columns count from its beginning
        help_text="Not for homeowners. Either this or `item`.",
    )
    item = serializers.CharField(required=False, help_text="The name of an analytics item.")
    aggregate = choice(
        AGGREGATES,
        "What each bin tells, by default `mean`; without `every` the whole range. The mean of a signal is its"
        " integral ÷ the covered time; `min`, `max`, `sum`, `count`, like all of events, are of values."
        " Formulas that add, subtract and scale registers have an `increase`.",
    )
    output = choice(["json", "csv"], "By default json.")
    explain = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LAST_MS,
        help_text="Unix ms within the range: adds what the value then, or that of its bin, comes from.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if ("formula" in attrs) == ("item" in attrs):
            raise refusal("formula", "one_of_two", "Give either “formula” or “item”.")
        if "every" in attrs:
            check_bins(attrs["every"], attrs["end"] - attrs["start"])
        if "explain" in attrs:
            _check_explain(attrs)
        return attrs


class EvaluateView(ReadingsView):
    """Formulas over time."""

    @extend_schema(
        summary="Evaluate a formula or an analytics item",
        parameters=[EvaluateQuery],
        responses={
            200: EvaluateAnswer,
            (200, "text/csv"): OpenApiResponse(str, "With `output=csv`."),
            **described(400, 401, 403, 404, 429, 500),
        },
        examples=[
            OpenApiExample(
                "An item in hours",
                value={
                    "unit": "kW",
                    "timestamps": [1767222000000, 1767225600000],
                    "values": [3.2, None],
                    "coverage": [1.0, 0.0],
                },
                response_only=True,
                status_codes=["200"],
            ),
            OpenApiExample(
                "Energy of a range",
                value={"unit": "kWh", "value": 3.2, "coverage": [1.0]},
                response_only=True,
                status_codes=["200"],
            ),
            OpenApiExample(
                "A value explained",
                value={
                    "unit": "W",
                    "timestamps": [1767222000000],
                    "values": [3200.0],
                    "explain": {
                        "timestamp": 1767222000000,
                        "value": 3200.0,
                        "formula": "1000*analytics.solar",
                        "expanded": "1000*pos(egauge.A.Solar)",
                        "version": 1,
                        "inputs": [
                            {
                                "series": "egauge.A.Solar",
                                "source": "egauge",
                                "value": 3.2,
                                "timestamps": [1767222000000],
                                "coverage": 1.0,
                            }
                        ],
                    },
                },
                response_only=True,
                status_codes=["200"],
            ),
            OpenApiExample(
                "A fault in a formula",
                value={
                    "error": {
                        "code": "bad_formula",
                        "message": "Column 16: “Load” alone names nothing: a series is written source.field…",
                        "field": "formula",
                    }
                },
                response_only=True,
                status_codes=["400"],
            ),
        ],
    )
    def get(self, request: Request, house_id: int) -> HttpResponse:
        """At the stamps of what it reads (200,000 at most), in bins of the house's calendar, or as one
        number.

        Bins may cover any time; those at both ends are whole. Nothing is known where anything the formula
        reads is missing.
        """
        house = visible_house(request, house_id)
        if "formula" in request.query_params and getattr(request.user, "role", "") not in ANALYSTS:
            raise PermissionDenied("Homeowners evaluate items; ask with “item”.")
        query = EvaluateQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        return _answer(house, query.validated_data)


@dataclass(frozen=True)
class _Asked:
    """What is to be evaluated: the text as it was asked for or stands in an item, and what it means."""

    formula: str
    bound: Bound
    item: AnalyticsItem | None = None

    @property
    def unit(self) -> str:
        """What people say the item is measured in; empty where nobody says so."""
        return self.item.unit if self.item else ""


def _answer(house: House, query: dict[str, Any]) -> HttpResponse:
    asked = _asked(house, query)
    try:
        answer = _evaluated(asked, query)
        explained = _explained(asked, query) if "explain" in query else None
    except TooMuchError as error:
        raise refusal("end", "too_many_points", str(error)) from error
    except FormulaError as error:
        raise refusal("end", "too_many_events", str(error)) from error
    if query.get("output") == "csv":
        return written(answer, house)
    body = _body(answer) | ({"explain": explained} if explained else {})
    # msgspec writes NaN as null.
    return HttpResponse(msgspec.json.encode(body), content_type="application/json")


def _asked(house: House, query: dict[str, Any]) -> _Asked:
    if "item" not in query:
        return _Asked(query["formula"], _bound(house, query["formula"], "formula"))
    item = AnalyticsItem.objects.filter(house=house, name=query["item"]).first()
    if item is None:
        raise refusal("item", "unknown_item", f"This house has no analytics item “{query['item']}”.")
    return _Asked(item.formula, _bound(house, item.formula, "item"), item)


def _bound(house: House, formula: str, parameter: str) -> Bound:
    try:
        return bind(house, expand(parse(formula), formulas_of(house)))
    except FormulaError as error:
        raise refusal(parameter, "bad_formula", str(error)) from error


def _evaluated(asked: _Asked, query: dict[str, Any]) -> Answer:
    aggregate = query.get("aggregate")
    if aggregate == "integral" and shape(asked.bound.node) is Shape.EVENTS:
        raise refusal("aggregate", "no_integral", "Events happen at instants and have no integral.")
    if aggregate == INCREASE:
        _check_registers(asked.bound)
    answer = _worked_out(asked, query)
    return replace(answer, unit=of_aggregate(aggregate or "mean", asked.unit)) if asked.unit else answer


def _worked_out(asked: _Asked, query: dict[str, Any]) -> Answer:
    names = ("start", "end", "every", "aggregate")
    wanted: dict[str, Any] = {name: query[name] for name in names if name in query}
    if asked.item is None or "every" not in query:
        return evaluate(asked.bound, **wanted)
    now = milliseconds(timezone.now())
    return kept.binned(asked.item, asked.bound, now=now, **({"aggregate": "mean"} | wanted))


def _check_registers(bound: Bound) -> None:
    try:
        registers(bound)
    except FormulaError as error:
        raise refusal("aggregate", "no_increase", str(error)) from error


def _explained(asked: _Asked, query: dict[str, Any]) -> dict[str, Any]:
    found = _explanation(asked.bound, query)
    return {
        "timestamp": found.stamp,
        "value": found.value,
        "formula": asked.formula,
        "expanded": text(asked.bound.node),
        "version": asked.item.version if asked.item else None,
        "inputs": [
            {
                "series": one.text,
                "source": ", ".join(one.sources),
                "value": one.value,
                "timestamps": one.stamps,
                "coverage": one.coverage,
            }
            for one in found.inputs
        ],
    }


def _explanation(bound: Bound, query: dict[str, Any]) -> Explanation:
    stamp, every, aggregate = query["explain"], query.get("every"), query.get("aggregate")
    if every is None and aggregate is None:
        return explanation.at(bound, stamp)
    begin, end = query["start"], query["end"]
    if every is not None:
        begin, end = calendar.edges(bound.house.time_zone, every, stamp, stamp + 1).tolist()
    return explanation.within(bound, begin, end, aggregate or "mean")


def _body(answer: Answer) -> dict[str, Any]:
    """What is known of an answer, without what does not concern it."""
    body: dict[str, Any] = {"unit": answer.unit} if answer.unit else {}
    if answer.stamps is None or answer.values is None:
        body["value"] = answer.value
    else:
        body |= {"timestamps": answer.stamps.tolist(), "values": answer.values.tolist()}
    if answer.coverage is not None:
        body["coverage"] = answer.coverage.tolist()
    return body


def _check_explain(attrs: dict[str, Any]) -> None:
    if not attrs["start"] <= attrs["explain"] < attrs["end"]:
        raise refusal("explain", "out_of_range", "Explain an instant within the range.")
    if attrs.get("output") == "csv":
        raise refusal("explain", "needs_json", "An explanation is JSON alone; leave “output” out.")
