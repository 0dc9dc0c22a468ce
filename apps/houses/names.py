"""Names that identifiers are made of, and time zones that calendars are made of."""

from __future__ import annotations

import zoneinfo
from functools import cache

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

RESERVED = frozenset({"analytics", "events", "PI", "E"})

identifier_form = RegexValidator(
    r"\A[A-Za-z][A-Za-z0-9_]*\Z", "Use letters, digits and underscores, beginning with a letter."
)


def validate_identifier(name: str) -> None:
    """Raise ValidationError unless formulas can use `name` before a dot."""
    identifier_form(name)
    if name in RESERVED:
        raise ValidationError(f"“{name}” has a meaning in formulas; choose another name.")


@cache
def zone_names() -> frozenset[str]:
    """Every IANA zone this machine knows."""
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless `name` is an IANA time zone."""
    if name not in zone_names():
        raise ValidationError(f"“{name}” is not an IANA time zone such as Europe/Brussels.")
