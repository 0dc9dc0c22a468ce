"""What is wrong with loggers, for alerts: silence, devices that are mute or unmapped, flash, clocks.

The meters of a logger that is silent, and of a device that does not answer, are silent for that reason: one
alert says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Min

from apps.alerts.detectors import Seen
from apps.alerts.kinds import Kind, Subject, Verdict
from apps.inbox.models import State
from apps.meters import health
from apps.meters.acquisuite import codes
from apps.meters.health import milliseconds
from apps.meters.models import Assignment, Logger, LoggerDevice, Meter, UploadFile
from apps.meters.parsing import KIND

NEWS_FOR = timedelta(days=2)
"""A row that tells of a clock may come a day late, and is to be seen for a day."""
WAITS_FOR = timedelta(days=1)
"""After so long it is no news any more that a device is to be mapped: somebody forgot it."""
PERIODS = 2
"""For so many log periods a device has to be mute."""
BANDS = ((75, health.FULL, 70.0), (95, health.VERY_FULL, 90.0))
"""Name, faulty from, fine below: per cent of the flash."""


def look(now: datetime) -> Iterator[Seen]:
    """All loggers in use, in a few statements."""
    loggers = list(Logger.objects.filter(house__enabled=True).select_related("house"))
    away = {one.pk for one in loggers if one.enabled and _is_away(one, now)}
    for one in loggers:
        if one.enabled:
            yield from _look_at(one, now, silent=one.pk in away)
    yield from _mute(away)
    yield from _unmapped(now)
    yield from _excuses(away | {one.pk for one in loggers if not one.enabled})


def _is_away(logger: Logger, now: datetime) -> bool:
    """Whether it was not heard for too long; a new one has as long as one whose rhythm is not known."""
    if logger.last_seen_at is not None:
        return health.is_silent(logger, now)
    return milliseconds(now) - milliseconds(logger.created_at) > health.patience(logger)


def _look_at(logger: Logger, now: datetime, *, silent: bool) -> Iterator[Seen]:
    name = {"logger": str(logger)}
    since = logger.last_seen_at
    heard = {**name, "since": milliseconds(since) if since else None}
    verdict = Verdict.FAULTY if silent else Verdict.FINE
    yield Subject(logger.house_id, None, Kind.LOGGER, logger.serial), verdict, heard
    if logger.blocks_in_use is not None:
        yield from _flash(logger, logger.blocks_in_use, silent=silent)
    if logger.clock_changed_at is not None and now - logger.clock_changed_at < NEWS_FOR:
        told = {**name, "since": milliseconds(logger.clock_changed_at)}
        yield Subject(logger.house_id, None, Kind.CLOCK_SET, logger.serial), Verdict.FAULTY, told


def _flash(logger: Logger, percent: float, *, silent: bool) -> Iterator[Seen]:
    """What a logger said before it fell silent is no longer news."""
    for name, faulty_from, fine_below in BANDS:
        verdict = Verdict.FAULTY if percent >= faulty_from else Verdict.FINE
        if silent or (verdict is Verdict.FINE and percent >= fine_below):
            verdict = Verdict.DOUBTFUL
        evidence = {"logger": str(logger), "percent": round(percent), "over": name}
        yield Subject(logger.house_id, None, Kind.FLASH, f"{logger.serial} {name}"), verdict, evidence


def _mute(away: set[int]) -> Iterator[Seen]:
    """Devices that did not answer for some rows, up to the newest."""
    mute = LoggerDevice.objects.filter(
        error_code=codes.NO_ANSWER,
        failing_since__isnull=False,
        ignored=False,
        logger__enabled=True,
        logger__house__enabled=True,
    ).select_related("logger")
    meters = _meters({one.pk for one in mute})
    for one in mute:
        lasted = (one.newest_row or 0) - (one.failing_since or 0)
        if lasted < PERIODS * one.logger.period_s * 1000:
            continue
        source = meters.get(one.pk)
        key = "" if source else f"{one.logger.serial} {one.address}"
        verdict = Verdict.DOUBTFUL if one.logger_id in away else Verdict.FAULTY
        evidence = {"logger": str(one.logger), "address": one.address, "since": one.failing_since}
        yield Subject(one.logger.house_id, source, Kind.MUTE, key), verdict, evidence
        if source is not None:
            yield Subject(one.logger.house_id, source, Kind.SILENT), Verdict.DOUBTFUL, {}


def _unmapped(now: datetime) -> Iterator[Seen]:
    """Devices whose files have waited for long for somebody to say what they are."""
    waiting = UploadFile.objects.filter(
        receipt__kind=KIND, receipt__state=State.NEEDS_MAPPING, device__ignored=False
    )
    oldest = waiting.values("device").annotate(files=Count("pk"), since=Min("received_at")).order_by()
    late = {one["device"]: one for one in oldest.filter(since__lt=now - WAITS_FOR)}
    for device in LoggerDevice.objects.filter(pk__in=late, logger__house__enabled=True).select_related(
        "logger"
    ):
        since, files = milliseconds(late[device.pk]["since"]), late[device.pk]["files"]
        evidence = {"logger": str(device.logger), "address": device.address, "since": since, "files": files}
        key = f"{device.logger.serial} {device.address}"
        yield Subject(device.logger.house_id, None, Kind.MAPPING, key), Verdict.FAULTY, evidence


def _meters(devices: set[int]) -> dict[int, int]:
    """The sources that devices are now."""
    lasting = Assignment.objects.filter(device__in=devices, ends=None)
    return dict(lasting.values_list("device", "meter"))


def _excuses(away: set[int]) -> Iterator[Seen]:
    """Meters that say nothing because their logger does not, or because no device is them any more."""
    waiting = Assignment.objects.filter(device__logger__in=away, ends=None)
    for house, source in waiting.values_list("meter__source__house", "meter"):
        yield Subject(house, source, Kind.SILENT), Verdict.DOUBTFUL, {}
    retired = Meter.objects.filter(assignments__isnull=False).exclude(assignments__ends=None)
    for house, source in retired.values_list("source__house", "pk").distinct():
        yield Subject(house, source, Kind.SILENT), Verdict.FINE, {}
