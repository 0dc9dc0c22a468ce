"""Every change that people make to loggers, for the admin and commands alike."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters import passwords, unclaimed
from apps.meters.acquisuite import serials
from apps.meters.models import Logger


@transaction.atomic
def add_logger(
    *,
    house: House,
    serial: str,
    label: str = "",
    password: str = "",
    opens_meters: bool = True,
    log_period_s: int | None = None,
    now: datetime,
    by: User | None = None,
) -> tuple[Logger, str]:
    """Save a logger, and return it with its password, which cannot be had again.

    An empty password is made up. Raises ValidationError naming the field.
    """
    spelt = serials.normal(serial)
    if not spelt:
        problem = f"“{serial[:40]}” is no serial number: those have 4 to 32 digits and letters."
        raise ValidationError({"serial": problem})
    secret = checked_password(password) if password else passwords.make()
    logger = Logger(
        house=house,
        serial=spelt,
        label=label,
        opens_meters=opens_meters,
        log_period_s=log_period_s,
        password=passwords.hashed(secret),
        password_set_at=now,
    )
    _save(logger, by, "added")
    unclaimed.forget(serial=spelt)
    passwords.forget()  # it may have been refused a second ago
    return logger, secret


def update_logger(
    *,
    logger: Logger,
    label: str | None = None,
    opens_meters: bool | None = None,
    log_period_s: int | None = None,
    by: User | None = None,
) -> None:
    """Save what is given; a log period of 0 leaves it to the configuration. Raises ValidationError."""
    logger.label = logger.label if label is None else label
    logger.opens_meters = logger.opens_meters if opens_meters is None else opens_meters
    if log_period_s is not None:
        logger.log_period_s = log_period_s or None
    _save(logger, by, None)


def set_enabled(*, logger: Logger, enabled: bool, by: User | None) -> None:
    """Take what `logger` sends, or refuse it within a minute. What it has sent stays either way."""
    logger.enabled = enabled
    _save(logger, by, "enabled" if enabled else "disabled")
    passwords.forget()


def change_password(*, logger: Logger, password: str = "", now: datetime, by: User | None) -> str:
    """Give `logger` another password and return it; the old one is refused within a minute.

    An empty one is made up. Raises ValidationError.
    """
    secret = checked_password(password) if password else passwords.make()
    logger.password, logger.password_set_at = passwords.hashed(secret), now
    _save(logger, by, "password changed")
    passwords.forget()
    return secret


def checked_password(password: str) -> str:
    """A password that people typed. Raises ValidationError."""
    if not passwords.SHORTEST <= len(password) <= passwords.LONGEST or not password.isprintable():
        raise ValidationError(
            {"password": f"A password has {passwords.SHORTEST} to {passwords.LONGEST} characters."}
        )
    if password != password.strip():
        raise ValidationError({"password": "A password neither begins nor ends with a space."})
    return password


def _save(logger: Logger, by: User | None, reason: str | None) -> None:
    """Only what people decide: what the logger tells of itself may be newer in the table."""
    logger.full_clean()
    logger._history_user = by  # type: ignore[attr-defined]  # who, in the history
    logger._change_reason = reason  # type: ignore[attr-defined]
    decided = ["label", "enabled", "opens_meters", "log_period_s", "password", "password_set_at"]
    logger.save(update_fields=None if logger._state.adding else decided)
