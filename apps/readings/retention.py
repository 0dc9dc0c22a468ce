"""How long readings are kept: nightly what `keep_raw_days` says, and by hand what somebody chose."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db.models import F

from apps.accounts.models import User
from apps.jobs import run as jobs
from apps.jobs.models import Job
from apps.readings import calendar, sealing
from apps.readings.models import Source
from apps.readings.sealing import Going, UnfinishedError
from apps.readings.times import milliseconds

logger = logging.getLogger(__name__)

KIND = "readings.seal"
NIGHTLY_S = 480.0  # within the time limit of a task


def set_keep(*, source: Source, days: int | None, by: User | None) -> None:
    """Keep the readings of `source` for that many days, None for ever; older ones go in the coming night.

    Raises ValidationError for a number of days that is out of bounds.
    """
    source.keep_raw_days = days
    source.clean_fields(exclude={field.name for field in source._meta.fields} - {"keep_raw_days"})
    source._history_user = by  # type: ignore[attr-defined]
    source.save(update_fields=["keep_raw_days"])


def due_day(source: Source, now: datetime) -> date | None:
    """The local day before which readings need not be kept; None where they are kept for ever."""
    return (
        None if source.keep_raw_days is None else _today(source, now) - timedelta(days=source.keep_raw_days)
    )


def retain(*, now: datetime, seconds: float = NIGHTLY_S) -> int:
    """Seal what need not be kept, the longest due first, starting none after `seconds`; how many sources.

    A source whose hours and days are not worked out yet is left to the next night.
    """
    until = time.monotonic() + seconds
    limited = Source.objects.exclude(keep_raw_days=None).select_related("house")
    done = 0
    for source in limited.order_by(F("sealed_before").asc(nulls_first=True), "pk"):
        if time.monotonic() >= until:
            break
        done += _retained(source, now)
    return done


def preview(sources: Iterable[Source], day: date) -> list[tuple[Source, Going]]:
    """What sealing each source before local `day` would drop."""
    return [(source, sealing.going(source, sealing.midnight(source, day))) for source in sources]


def start(*, sources: Collection[Source], day: date, subject: str, by: User | None, now: datetime) -> Job:
    """Start the job that drops the readings of `sources` before local `day`.

    Raises ValidationError where there is no source, or for a day that has not begun everywhere.
    """
    if not sources:
        raise ValidationError("There is no source to seal.")
    if any(day > _today(source, now) for source in sources):
        raise ValidationError("This day has not begun yet. Choose an earlier one.")
    ids = sorted(source.pk for source in sources)
    return jobs.start(kind=KIND, subject=subject, by=by, sources=ids, day=day.isoformat())


def run(running: jobs.Running, *, sources: list[int], day: str) -> None:
    """Seal sources up to a day. Cancelled, it leaves each sealed so far. JobError names those left out."""
    until = date.fromisoformat(day)
    found = list(Source.objects.filter(pk__in=sources).select_related("house").order_by("pk"))
    total = sum((going.days for _, going in preview(found, until)), 0)
    gone, left = Going(), []
    for source in found:
        try:
            for dropped in sealing.seal(source=source, day=until):
                gone += dropped
                running.progress(gone.days, total, f"Dropping readings of {source}")
        except UnfinishedError:
            left.append(str(source))
    if left:
        raise jobs.JobError(
            f"Dropped {gone.readings:,} readings. Hours and days are still being worked out of"
            f" {', '.join(left)}: their readings stay. Start this again later."
        )
    running.progress(gone.days, gone.days, f"Dropped {gone.readings:,} readings of {gone.days:,} days.")


def _retained(source: Source, now: datetime) -> bool:
    day = due_day(source, now)
    if day is None:
        return False
    try:
        return bool([*sealing.seal(source=source, day=day)])
    except UnfinishedError as error:
        logger.info("Not sealed tonight: %s", error)
    except Exception:
        logger.exception("Could not seal source %s", source.pk)
    return False


def _today(source: Source, now: datetime) -> date:
    return calendar.local_date(source.house.time_zone, milliseconds(now))
