"""Who a logger is: serial number and password, in the form, in the header, or in both and then the same."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from django.core.cache import cache
from django.db.models import F
from redis.exceptions import RedisError

from apps.meters import passwords, unclaimed
from apps.meters.acquisuite import serials
from apps.meters.acquisuite.forms import Form
from apps.meters.acquisuite.replies import RefusedError, failure
from apps.meters.models import Logger

logger = logging.getLogger(__name__)

MINUTE = 60
MOST_OF_AN_ADDRESS = 60
"""Failures a minute."""
MOST_OF_A_SERIAL = 20
"""Failures a minute, from addresses that the logger itself does not call from: they must not lock it out."""
WRONG = failure(401, "serial number and password do not match")


def log_in(form: Form, *, address: str | None, now: datetime) -> Logger:
    """The logger that the request is from. Raises RefusedError, for a stranger as for a wrong password."""
    serial, password = _credentials(form)
    known = passwords.remembered(serial, password, now=now)
    keys = [] if known else _keys(serial, address)
    if keys and _blocked(keys):
        raise RefusedError(failure(429, "too many wrong passwords; try again later", seconds=_rest()))
    found = passwords.verify(serial, password, now=now)
    if found is not None:
        return found
    if not known:  # told once a minute: who repeats it fills no table
        _count(keys)
        _note(serial, form, address, now)
    raise RefusedError(WRONG)


def _credentials(form: Form) -> tuple[str, str]:
    """Serial number and password. Raises RefusedError where there are none, or two that differ."""
    told = form.variables.get("SERIALNUMBER") or form.variables.get("ESERVERSERIAL") or ""
    spelt = {serials.normal(told)} if told else set()
    secrets_given = {form.password} if form.password else set()
    if form.basic is not None:
        spelt.add(serials.normal(form.basic[0]))
        secrets_given.add(form.basic[1])
    if len(spelt) != 1 or "" in spelt | secrets_given or len(secrets_given) != 1:
        raise RefusedError(WRONG)
    return spelt.pop(), secrets_given.pop()


def _keys(serial: str, address: str | None) -> list[tuple[str, int]]:
    """What failures are counted under, and how many of each are borne."""
    home = address is not None and Logger.objects.filter(serial=serial, address=address).exists()
    minute = int(time.time()) // MINUTE
    own = [] if home else [(f"logger-failures:{minute}:serial:{serial}", MOST_OF_A_SERIAL)]
    return [(f"logger-failures:{minute}:address:{address}", MOST_OF_AN_ADDRESS), *own]


def _blocked(keys: list[tuple[str, int]]) -> bool:
    """Whether there were too many failures. Without a cache nobody is held up."""
    try:
        counts = cache.get_many([key for key, _ in keys])
    except (RedisError, OSError):
        logger.warning("The cache is away: failed log-ins of loggers are not counted.")
        return False
    return any(counts.get(key, 0) >= most for key, most in keys)


def _count(keys: list[tuple[str, int]]) -> None:
    try:
        for key, _ in keys:
            if not cache.add(key, 1, timeout=2 * MINUTE):
                cache.incr(key)
    except (RedisError, OSError, ValueError):
        logger.warning("The cache is away: failed log-ins of loggers are not counted.")


def _rest() -> int:
    """Seconds until the next minute begins."""
    return MINUTE - int(time.time()) % MINUTE


def _note(serial: str, form: Form, address: str | None, now: datetime) -> None:
    """Let operators see who was refused."""
    refused = Logger.objects.filter(serial=serial)
    if not refused.update(refused_count=F("refused_count") + 1, refused_at=now):
        unclaimed.note(serial=serial, loop_name=form.variables.get("LOOPNAME", ""), address=address, now=now)
