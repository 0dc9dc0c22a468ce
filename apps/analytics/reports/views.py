"""The pages `/houses/<id>/reports/<kind>/` and what can be taken away from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.analytics.reports import figure, kinds, periods, table
from apps.analytics.reports.asking import HouseAsk
from apps.analytics.reports.forms import EVERY_TITLES, ReportForm
from apps.analytics.reports.periods import Period
from apps.analytics.reports.report import Report, make
from apps.houses.models import House
from apps.readings.times import milliseconds


@require_safe
@login_required
@gzip_page
def report(request: HttpRequest, house_id: int, kind: str) -> HttpResponse:
    """A report of a house as a page, or with `output=csv` as exactly the numbers its chart shows.

    404 for whoever is no member of the house; 400, as a page that says why, for a period that cannot be.
    """
    house = get_object_or_404(House.objects.visible_to(cast(User, request.user)), pk=house_id)
    if kind not in kinds.KINDS:
        raise Http404
    now = milliseconds(timezone.now())
    form = ReportForm(request.GET, zone=house.time_zone, now=now)
    days = [request.GET.get(name, "") for name in ("first", "last")]
    context = {"house": house, "form": form, "days": days, **_frame(kind)}
    if not form.is_valid():
        return render(request, "analytics/report.html", context, status=400)
    made = make(
        kinds.KINDS[kind],
        form.cleaned_data["resolved"],
        form.cleaned_data["every"],
        zone=house.time_zone,
        ask=HouseAsk(house, now),
    )
    if made is not None and request.GET.get("output") == "csv":
        return _csv(house, kind, made)
    return render(request, "analytics/report.html", context | _shown(made, form))


def _frame(kind: str) -> dict[str, Any]:
    """What the page shows whatever the period."""
    return {
        "kind": kind,
        "title": kinds.KINDS[kind].title,
        "kinds": [(name, one.title) for name, one in kinds.KINDS.items()],
        "period_titles": [(key, title) for key, title in periods.TITLES.items() if key != "range"],
    }


def _shown(made: Report | None, form: ReportForm) -> dict[str, Any]:
    period = form.cleaned_data["resolved"]
    context: dict[str, Any] = {
        "report": made,
        "period": period,
        "every": form.cleaned_data["every"],
        "every_choices": [(one, EVERY_TITLES[one]) for one in periods.offered(period)],
        "dates": _dates(period, form.zone),
        "days": [f"{day:%Y-%m-%d}" for day in _dates(period, form.zone)],
        **_questions(form),
    }
    if made is None:
        return context
    return context | {
        "figure": figure.figure(made),
        "columns": table.columns(made),
        "rows": table.rows(made),
    }


def _csv(house: House, kind: str, made: Report) -> HttpResponse:
    first, last = _dates(made.period, house.time_zone)
    name = f"{house.name}-{kind}-{first:%Y%m%d}-{last:%Y%m%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(table.as_csv(made), content_type="text/csv; charset=utf-8", headers=headers)


def _dates(period: Period, zone: str) -> tuple[datetime, datetime]:
    """Its first and its last moment on the house's clock."""
    first, last = (
        datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)) for instant in (period.start, period.end - 1)
    )
    return first, last


def _questions(form: ReportForm) -> dict[str, str]:
    """The question of this page for its links: as it is, but for the bins, and as of this moment."""
    asked = {name: form.cleaned_data[name] for name in ("period", "first", "last", "at")}
    period = {"period": form.cleaned_data["resolved"].key}
    known = {**{name: str(value) for name, value in asked.items() if value}, **period}
    every = {"every": form.cleaned_data["every"]}
    return {
        "question": urlencode(known),
        "shown_question": urlencode(known | every),
        "lasting_question": urlencode({"at": str(form.now)} | known | every),
    }
