"""The record of what loggers did: their sessions, the files of each, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.alerts import rhythm
from apps.alerts.rhythm import Rhythm
from apps.meters.models import Logger, LoggerDevice, UploadFile
from config.prepared import fetch, run, select

PAUSE = timedelta(minutes=15)
"""A logger that says nothing for so long has ended its session."""


@dataclass(frozen=True)
class Heard:
    """The session that a request belongs to, and what is learnt of the logger's uploads so far.

    `moved_from` is the address of its last call where this one comes from another.
    """

    session_id: int
    rhythm: Mapping[str, Any]
    moved_from: str | None = None


def heard(
    *,
    logger: Logger,
    now: datetime,
    address: str | None,
    loop_name: str = "",
    status: Mapping[str, str] | None = None,
) -> Heard:
    """Note that a logger called, and count the request; one with a status report begins a new session."""
    told = {
        "logger": logger.pk,
        "now": now,
        "since": now - PAUSE,
        "address": address,
        "loop_name": loop_name[:120],
        "reports": status is not None,
        "attempt": _number((status or {}).get("UPLOADATTEMPT")),
        "status": json.dumps(dict(status or {})),
    }
    ((session_id, rhythm, moved_from),) = fetch(_HEARD, told)
    return Heard(session_id, json.loads(rhythm or "{}"), moved_from)


_HEARD = """
WITH heard AS (
    UPDATE meters_logger SET
        last_seen_at = %(now)s::timestamptz,
        address = %(address)s::inet,
        loop_name = coalesce(nullif(%(loop_name)s::varchar, ''), loop_name)
    WHERE id = %(logger)s::bigint
    RETURNING rhythm::text
), counted AS (
    UPDATE meters_uploadsession SET last_at = %(now)s::timestamptz, requests = requests + 1
    WHERE NOT %(reports)s::boolean AND id = (
        SELECT id FROM meters_uploadsession
        WHERE logger_id = %(logger)s::bigint AND last_at > %(since)s::timestamptz
        ORDER BY started_at DESC, id DESC LIMIT 1
    )
    RETURNING id
), begun AS (
    INSERT INTO meters_uploadsession
        (logger_id, started_at, last_at, address, attempt, status, requests, failures)
    SELECT %(logger)s::bigint, %(now)s::timestamptz, %(now)s::timestamptz, %(address)s::inet,
        %(attempt)s::int, %(status)s::jsonb, 1, 0
    WHERE NOT EXISTS (SELECT FROM counted)
    RETURNING id
)
SELECT id, (SELECT rhythm FROM heard), (
    SELECT host(address) FROM meters_logger  -- as it was before this statement
    WHERE id = %(logger)s::bigint AND address <> %(address)s::inet
)
FROM (SELECT id FROM counted UNION ALL SELECT id FROM begun) AS session
"""


def failed(*, session_id: int) -> None:
    """Count a request of a session that was not answered SUCCESS."""
    run(_FAILED, {"session": session_id})


_FAILED = "UPDATE meters_uploadsession SET failures = failures + 1 WHERE id = %(session)s::bigint"


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


def uploaded(*, logger: Logger, learnt: Mapping[str, Any], now: datetime) -> None:
    """Note that a log came, and learn how often they do; `learnt` is what was so far."""
    stamp = int(now.timestamp() * 1000)
    known = rhythm_of(learnt) or Rhythm(heard_at=stamp)
    after = rhythm.heard(known, stamp, stamp)
    changed = None if after is known else json.dumps(asdict(after))
    run(_UPLOADED, {"logger": logger.pk, "now": now, "rhythm": changed})


_UPLOADED = """
UPDATE meters_logger
SET last_upload_at = %(now)s::timestamptz, rhythm = coalesce(%(rhythm)s::jsonb, rhythm)
WHERE id = %(logger)s::bigint
"""


def rhythm_of(stored: Mapping[str, Any]) -> Rhythm | None:
    """What is learnt of a logger's uploads; None for nothing yet."""
    if not stored:
        return None
    pauses = {int(day): pause for day, pause in stored.get("pauses", {}).items()}
    return Rhythm(stored["heard_at"], stored.get("newest"), stored.get("arrivals", 0), pauses)


def repeated(*, device: LoggerDevice, md5: str, sha256: str) -> UploadFile | None:
    """The file that brought these very bytes before, if it is still kept."""
    found = select(UploadFile, _SAME, {"device": device.pk, "md5": md5, "sha256": sha256})
    return found[0] if found else None


_SAME = """
WHERE device_id = %(device)s::bigint AND md5 = %(md5)s::varchar
    AND receipt_id IN (SELECT id FROM inbox_receipt WHERE body_id = %(sha256)s::varchar)
ORDER BY received_at DESC, id DESC LIMIT 1
"""


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
