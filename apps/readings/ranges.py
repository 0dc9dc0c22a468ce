"""Asking for numbers over a range of time, raw or in bins of the house's calendar, over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from apps.accounts.errors import refusal
from apps.accounts.queries import Query
from apps.readings import calendar

MAX_BINS = 500_000  # in one answer, all its series together
LAST_MS = 7_258_118_400_000  # the year 2200, which keeps calendars within what Python can count

# The least a bin can last, to know before making them how many there may be.
_SHORTEST = {
    **calendar.CLOCK,
    "1d": 23 * calendar.HOUR_MS,
    "1w": 6 * calendar.DAY_MS,
    "1mo": 27 * calendar.DAY_MS,
}


def choice(offered: Iterable[str], help_text: str = "") -> serializers.ChoiceField:
    """A parameter that need not be given; what is not offered is refused with what is."""
    names = list(offered)
    text = f"“{{input}}” is not offered here; use one of: {', '.join(names)}"
    return serializers.ChoiceField(
        names, required=False, help_text=help_text, error_messages={"invalid_choice": text}
    )


class RangeQuery(Query):
    """Which time, and in which bins."""

    start = serializers.IntegerField(min_value=0, max_value=LAST_MS, help_text="Unix ms, included.")
    end = serializers.IntegerField(min_value=0, max_value=LAST_MS, help_text="Unix ms, excluded.")
    every = choice(calendar.EVERY, "Length of the bins; without it values are answered as they are stamped.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["end"] <= attrs["start"]:
            raise refusal("end", "empty_range", "The range must end after its start.")
        return attrs


def check_bins(every: str, lasting: int, series: int = 1) -> None:
    """Refuse more than MAX_BINS bins over `lasting` ms, those of all series together."""
    count = (lasting // _SHORTEST[every] + 2) * series
    if count > MAX_BINS:
        text = f"That would be about {count} bins; an answer holds {MAX_BINS} at most."
        raise refusal("every", "too_many_bins", text)
