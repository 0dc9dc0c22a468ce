"""The page on which readings are dropped for good: what would go, and then the name typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from apps.accounts.models import User
from apps.houses.models import House
from apps.jobs.models import Job
from apps.readings import retention
from apps.readings.models import Source
from apps.readings.sealing import Going

A_YEAR = timedelta(days=365)


class DayForm(forms.Form):
    """From which local day on readings stay."""

    before = forms.DateField(
        label="Drop readings before",
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Enter a day, such as 2025-01-31."},
    )


@dataclass(frozen=True)
class Scope:
    """What is to be sealed: a source, or all of a house."""

    of: House | Source
    sources: list[Source]

    @property
    def name(self) -> str:
        """What must be typed."""
        return self.of.name

    @property
    def page(self) -> str:
        """The page it was asked for on."""
        model = self.of._meta
        return reverse(f"admin:{model.app_label}_{model.model_name}_change", args=[self.of.pk])


def page(request: HttpRequest, of: House | Source, page: ModelAdmin) -> HttpResponse:
    """Ask for a day, show what would go, and start the job once the name is typed.

    `page` is the admin of what is asked about, which has checked that the person may.
    """
    scope = Scope(of, list(_sources(of)))
    asked = request.POST if request.method == "POST" else request.GET
    form = DayForm(asked if "before" in asked else None, initial={"before": timezone.now().date() - A_YEAR})
    day = form.cleaned_data["before"] if form.is_bound and form.is_valid() else None
    if request.method == "POST" and day is not None:
        job = _started(request, scope, day)
        if job is not None:
            page.log_change(request, of, f"Drops readings before {day.isoformat()}.")
            return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))
    frame = {**page.admin_site.each_context(request), "opts": page.opts, "media": page.media}
    return TemplateResponse(request, "admin/readings/seal.html", {**frame, **_shown(scope, form, day)})


def _sources(of: House | Source) -> QuerySet[Source]:
    wanted = {"house": of} if isinstance(of, House) else {"pk": of.pk}
    return Source.objects.filter(**wanted).select_related("house").order_by("name")


def _started(request: HttpRequest, scope: Scope, day: date) -> Job | None:
    """The job, unless the name is another one or the day is too late: then a message says so."""
    if request.POST.get("name") != scope.name:
        messages.error(request, f"Nothing is dropped: type {scope.name} to drop these readings.")
        return None
    subject = f"{scope.of}, before {day.isoformat()}"
    try:
        return retention.start(
            sources=scope.sources, day=day, subject=subject, by=cast(User, request.user), now=timezone.now()
        )
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return None


def _shown(scope: Scope, form: DayForm, day: date | None) -> dict[str, Any]:
    found = [] if day is None else retention.preview(scope.sources, day)
    return {
        "title": f"Drop readings of {scope.of}",
        "scope": scope,
        "form": form,
        "day": day,
        "found": [(source, going) for source, going in found if going.days or going.steps],
        "total": sum((going for _, going in found), Going()),
    }
