"""What operators set of a counter's register."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.readings import rerolling
from apps.readings.models import Kind, Series


@transaction.atomic
def set_counter(*, series: Series, rating: float | None, modulus: float | None, by: User | None) -> int:
    """Say what is known of a counter's register, None for nothing; returns how many days are judged again.

    A job does that where there are any. Raises ValidationError for what is no counter or not above zero.
    """
    held = Series.objects.select_for_update(of=["self"]).select_related("source").get(pk=series.pk)
    if held.kind != Kind.COUNTER:
        raise ValidationError(f"{series} is a {held.kind}: only a counter has a register.")
    if (held.rating, held.modulus) == (rating, modulus):
        return 0
    held.rating, held.modulus = rating, modulus
    held.full_clean(exclude={"source"})
    held._history_user = by  # type: ignore[attr-defined]
    held.save(update_fields=["rating", "modulus"])
    return rerolling.settings_changed(held, by)
