"""The record of what loggers did: their sessions, the files of each, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from apps.alerts import rhythm
from apps.alerts.rhythm import Rhythm
from apps.meters.acquisuite.replies import Reply
from apps.meters.models import Logger, LoggerDevice, UploadFile, UploadSession

PAUSE = timedelta(minutes=15)
"""A logger that says nothing for so long has ended its session."""


def session_of(
    *, logger: Logger, now: datetime, address: str | None, status: Mapping[str, str] | None = None
) -> UploadSession:
    """The session that a request belongs to; one with a status report begins a new one."""
    if status is None:
        going_on = UploadSession.objects.filter(logger=logger, last_at__gt=now - PAUSE).first()
        if going_on is not None:
            return going_on
    return UploadSession.objects.create(
        logger=logger,
        started_at=now,
        last_at=now,
        address=address,
        attempt=_number((status or {}).get("UPLOADATTEMPT")),
        status=dict(status or {}),
    )


def note(*, session: UploadSession, reply: Reply, now: datetime) -> None:
    """Count a request of a session."""
    failed = 0 if reply.success else 1
    UploadSession.objects.filter(pk=session.pk).update(
        last_at=now, requests=F("requests") + 1, failures=F("failures") + failed
    )


def heard(*, logger: Logger, address: str | None, now: datetime, loop_name: str = "") -> None:
    """Note that a logger called."""
    named = {"loop_name": loop_name[:120]} if loop_name else {}
    Logger.objects.filter(pk=logger.pk).update(last_seen_at=now, address=address, **named)


def report(*, logger: Logger, status: Mapping[str, str]) -> None:
    """Keep what a logger says of its health. What it does not say stays as it was."""
    told = {
        "uptime_s": _number(status.get("UPTIME")),
        "boot_count": _number(status.get("BOOTCOUNT")),
        "blocks_in_use": _percent(status.get("PERCENTBLOCKSINUSE")),
        "inodes_in_use": _percent(status.get("PERCENTINODESINUSE") or status.get("PERCENTINODESUSED")),
        "battery_good": _yes_or_no(status.get("BATTERYGOOD")),
        "firmware": (status.get("ACQUISUITEVERSION") or status.get("FIRMWAREVERSION") or "")[:80] or None,
        "gsm_signal": status.get("GSMSIGNAL", "")[:40] or None,
        "versions": {name: text for name, text in status.items() if name.endswith("VERSION")} or None,
    }
    known = {name: value for name, value in told.items() if value is not None}
    if known:
        Logger.objects.filter(pk=logger.pk).update(**known)


def uploaded(*, logger: Logger, now: datetime) -> None:
    """Note that a log came, and learn how often they do."""
    stored = Logger.objects.filter(pk=logger.pk).values_list("rhythm", flat=True).first() or {}
    stamp = int(now.timestamp() * 1000)
    known = rhythm_of(stored) or Rhythm(heard_at=stamp)
    learnt = rhythm.heard(known, stamp, stamp)
    changes: dict[str, Any] = {} if learnt is known else {"rhythm": asdict(learnt)}
    Logger.objects.filter(pk=logger.pk).update(last_upload_at=now, **changes)


def rhythm_of(stored: Mapping[str, Any]) -> Rhythm | None:
    """What is learnt of a logger's uploads; None for nothing yet."""
    if not stored:
        return None
    pauses = {int(day): pause for day, pause in stored.get("pauses", {}).items()}
    return Rhythm(stored["heard_at"], stored.get("newest"), stored.get("arrivals", 0), pauses)


def repeated(*, device: LoggerDevice, md5: str, sha256: str) -> UploadFile | None:
    """The file that brought these very bytes before, if it is still kept."""
    same = UploadFile.objects.filter(device=device, md5=md5, receipt__body=sha256)
    return same.select_related("receipt").first()


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 9 else None


def _percent(text: str | None) -> float | None:
    try:
        value = float((text or "").rstrip("% "))
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None


def _yes_or_no(text: str | None) -> bool | None:
    return {"YES": True, "NO": False}.get((text or "").strip().upper())
