"""The question that the address of a report asks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_noop as _

from apps.analytics.reports import periods
from apps.analytics.reports.periods import Period, PeriodError

EVERY_TITLES = {"15m": _("Quarters"), "1h": _("Hours"), "1d": _("Days"), "1w": _("Weeks"), "1mo": _("Months")}


class ReportForm(forms.Form):
    """Period, the two days of a chosen range, and the length of bins; all have defaults.

    `at` (ms) keeps “last 7 days” what it was then, so that an address can be passed on.
    `now` (ms) and `zone` settle what the period means.
    """

    period = forms.ChoiceField(choices=list(periods.TITLES.items()), required=False)
    # “from” is a word of Python's.
    first = forms.DateField(required=False, label="From", widget=forms.DateInput({"type": "date"}))
    last = forms.DateField(required=False, label="To", widget=forms.DateInput({"type": "date"}))
    at = forms.IntegerField(required=False)
    every = forms.ChoiceField(choices=list(EVERY_TITLES.items()), required=False)

    def __init__(self, *args: Any, zone: str, now: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone, self.now = zone, now

    def clean(self) -> dict[str, Any]:
        """Add `resolved`, the Period, and choose the bins where nobody did or where they do not fit."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            cleaned["resolved"] = self._period(cleaned)
        except PeriodError as error:
            names = {"from": "first", "to": "last"}
            raise forms.ValidationError({names.get(error.field, error.field): str(error)}) from error
        if cleaned["every"] not in periods.offered(cleaned["resolved"]):
            cleaned["every"] = periods.first_choice(cleaned["resolved"])
        return cleaned

    def _period(self, cleaned: dict[str, Any]) -> Period:
        first, last = cleaned["first"], cleaned["last"]
        key = cleaned["period"] or ("range" if first or last else "24h")
        return periods.resolve(key, zone=self.zone, now=self.now, at=cleaned["at"], first=first, last=last)
