"""How loggers and their devices fare, in words."""

from __future__ import annotations

import statistics
from datetime import datetime

from apps.alerts import rhythm
from apps.alerts.rhythm import Rhythm
from apps.meters import delays
from apps.meters.acquisuite import codes
from apps.meters.models import Logger, LoggerDevice
from apps.meters.uploads import rhythm_of

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
FULL, VERY_FULL = 75.0, 95.0
"""Per cent of the flash, from which on a logger uploads at once, and drops its oldest file."""

DISABLED, NEVER, SILENT, HEARD = "disabled", "never heard", "silent", "heard"
LOGGER_LABELS = {DISABLED: "warning", NEVER: "info", SILENT: "danger", HEARD: "success"}

IGNORED, ASKS, NO_METER, MUTE, FAULTY, QUIET, READ = (
    "ignored",
    "needs mapping",
    "no meter",
    "does not answer",
    "faulty",
    "nothing yet",
    "read",
)
DEVICE_LABELS = {
    IGNORED: "info",
    ASKS: "warning",
    NO_METER: "warning",
    MUTE: "danger",
    FAULTY: "danger",
    QUIET: "info",
    READ: "success",
}


def patience(logger: Logger) -> int:
    """For how long (ms) a logger may say nothing: one and a half times what it is used to, 26 h at first."""
    known = rhythm_of(logger.rhythm)
    return rhythm.patience(known or Rhythm(heard_at=0), 0)


def is_silent(logger: Logger, now: datetime) -> bool:
    """Whether a logger that was heard before has said nothing for longer than its rhythm explains."""
    seen = logger.last_seen_at
    return seen is not None and milliseconds(now) - milliseconds(seen) > patience(logger)


def logger_state(logger: Logger, now: datetime) -> str:
    """A key of LOGGER_LABELS."""
    if not logger.enabled:
        return DISABLED
    if logger.last_seen_at is None:
        return NEVER
    return SILENT if is_silent(logger, now) else HEARD


def usual_pause(logger: Logger) -> str:
    """How often it uploads, as learnt; empty while that is not known."""
    known = rhythm_of(logger.rhythm)
    if known is None or known.arrivals < rhythm.LEARNT_AFTER or not known.pauses:
        return ""
    pause = statistics.median_high(known.pauses.values())
    if pause < rhythm.LIVELY:
        return "every few minutes"
    return f"every {round(pause / HOUR)} h" if pause >= HOUR else f"every {round(pause / MINUTE)} min"


def usual_delay(logger: Logger) -> str:
    """How old a reading usually is at most when it comes, as learnt; empty while that is not known."""
    known = delays.usual(list(logger.devices.values_list("pk", flat=True)))
    return span(round(max(known.values()) / 1000)) if known else ""


def device_state(device: LoggerDevice, *, asks: bool, assigned: bool) -> str:
    """A key of DEVICE_LABELS; `asks` and `assigned` tell of its newest layout and of its meter."""
    if device.ignored:
        return IGNORED
    if asks:
        return ASKS
    if device.newest_row is None:
        return QUIET
    if not assigned:
        return NO_METER
    if device.failing_since is not None:
        return MUTE if device.error_code == codes.NO_ANSWER else FAULTY
    return READ


def fault(device: LoggerDevice) -> str:
    """What its newest row says is wrong; empty for nothing."""
    return "" if not codes.is_fault(device.error_code) else codes.meaning(device.error_code)


def span(seconds: int | None) -> str:
    """A length of time in its two largest units, such as “12 d 4 h”; empty for none."""
    if seconds is None:
        return ""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min"


def milliseconds(moment: datetime) -> int:
    """An aware time in Unix ms."""
    return int(moment.timestamp() * 1000)
