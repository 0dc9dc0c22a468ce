"""Forms of the admin's dialogs about readings."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from apps.readings.decisions import context
from apps.readings.models import QuarantinedStep
from apps.readings.times import moment


class ReadingForm(BaseDialogForm):
    """Which reading a decision is about: that of the step, or one beside it."""

    reading = forms.TypedChoiceField(
        coerce=int,
        widget=UnfoldAdminSelectWidget,
        help_text="Another one where it is that which is wrong, such as a spike before the step.",
    )

    def __init__(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **options: Any
    ) -> None:
        super().__init__(request, object_id, *args, **options)
        step = QuarantinedStep.objects.select_related("series__source").get(pk=cast(str, object_id))
        near = dict(context(step.series, step.stamp)) | {step.stamp: step.value}
        self.fields["reading"].choices = [
            (stamp, f"{moment(stamp)}: {shown(value)} {step.series.unit}")
            for stamp, value in sorted(near.items())
        ]
        self.fields["reading"].initial = step.stamp


def shown(value: float | None) -> str:
    """A register with all its digits: 12,345.678."""
    return "" if value is None else f"{value:,.12g}"
