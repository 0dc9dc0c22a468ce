"""What the editor of formulas asks while one types: answers in JSON, about one visible house at a time."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404

from apps.accounts.models import User
from apps.analytics import definitions, identifiers, preview
from apps.analytics.definitions import Definition
from apps.analytics.formula import MAX_LENGTH, FormulaError
from apps.analytics.models import AnalyticsItem
from apps.houses.models import House

_TOKEN = re.compile(r'(?:[A-Za-z_][\w$]*|"[^"\n]*"?)(?:[.:]+(?:[\w$]+|"[^"\n]*"?))*|[0-9.]+|\S')


def check(request: HttpRequest, user: User) -> HttpResponse:
    """What is wrong with a formula and where, or else what it gives, reads, and should be thought about."""
    draft = _draft(request, user)
    try:
        definition = definitions.define(draft)
    except FormulaError as error:
        return JsonResponse({"error": _fault(draft.formula, error)})
    return JsonResponse({"error": None, **_described(definition)})


def names(request: HttpRequest, user: User) -> HttpResponse:
    """The names that a formula of the house can use: {"names": [{"insert", "detail"}]}."""
    found = identifiers.names_of(_house(request.GET.get("house", ""), user))
    return JsonResponse({"names": [one._asdict() for one in found]})


def show(request: HttpRequest, user: User, now: datetime) -> HttpResponse:
    """What the formula would have given in the last day or week: {"figure", "summary", "note"}."""
    draft = _draft(request, user)
    span = request.POST.get("span", "")
    try:
        shown = preview.of(draft, span if span in preview.SPANS else "day", now)
    except FormulaError as error:
        return JsonResponse({"figure": None, "summary": "", "note": str(error)})
    return JsonResponse(shown, json_dumps_params={"allow_nan": False})


def normal(text: str) -> str:
    """A formula with the line breaks it was typed with: forms send two characters for each."""
    return text.replace("\r\n", "\n")


def _draft(request: HttpRequest, user: User) -> AnalyticsItem:
    """The item as it stands in the form. Raises Http404 for a house or item that the person does not see."""
    formula = normal(request.POST.get("formula", ""))[: MAX_LENGTH + 1]
    if pk := request.POST.get("item"):
        item = get_object_or_404(
            AnalyticsItem.objects.visible_to(user).select_related("house"), pk=_number(pk)
        )
        item.formula = formula
        return item
    return AnalyticsItem(
        house=_house(request.POST.get("house", ""), user),
        name=request.POST.get("name", "")[:64],
        formula=formula,
    )


def _house(pk: str, user: User) -> House:
    return get_object_or_404(House.objects.visible_to(user), pk=_number(pk))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Http404
    return int(text)


def _fault(formula: str, error: FormulaError) -> dict[str, Any]:
    """The place counts characters from 1; `length` is that of what stands there."""
    token = _TOKEN.match(formula, error.column - 1) if error.column else None
    return {"column": error.column, "length": len(token[0]) if token else 1, "message": error.message}


def _described(definition: Definition) -> dict[str, Any]:
    measure = definition.measured.measure
    return {
        "result": " in ".join(part for part in (measure.quantity, measure.unit) if part),
        "quantity": measure.quantity,
        "unit": measure.unit,
        "inputs": definition.reads,
        "warnings": [one.message for one in definition.measured.warnings],
        "refusal": definition.refusal,
    }
