"""The mirror of loggers' configuration files: every version, encrypted, and what is offered back to them."""

from __future__ import annotations

import base64
import difflib
from datetime import UTC, datetime

from django.db import transaction

from apps.accounts.models import User
from apps.meters import layouts, metering, mirror, refilling
from apps.meters.acquisuite import ini, manifest
from apps.meters.acquisuite.forms import Part
from apps.meters.acquisuite.unpacking import UnreadableError, unpack
from apps.meters.models import ALWAYS, ConfigVersion, Logger


@transaction.atomic(durable=True)
def keep(
    *, logger: Logger, name: str, part: Part, file_time: datetime | None, now: datetime
) -> ConfigVersion:
    """Keep a file that a logger sent, and take from it what its points are called. Raises UnreadableError.

    It is there for good when this returns. An offer of the same file ends: the logger has another one now.
    """
    text = unpack(part.body)
    ConfigVersion.objects.filter(logger=logger, name=name).exclude(offered_at=None).update(offered_at=None)
    version, created = ConfigVersion.objects.get_or_create(
        logger=logger,
        name=name,
        md5=part.md5,
        defaults={
            "size": len(part.body),
            "file_time": file_time,
            "first_at": now,
            "last_at": now,
            "content": base64.b64encode(part.body).decode(),
        },
    )
    if not created:
        ConfigVersion.objects.filter(pk=version.pk).update(last_at=now, file_time=file_time)
    _apply(logger, name, text, now)
    return version


def entries(logger: Logger) -> list[manifest.Entry]:
    """The files that `logger` should compare: its own settings, and those of every device it has told of."""
    addresses = logger.devices.order_by("address").values_list("address", flat=True)
    newest = _newest(logger)
    return [_entry(name, newest.get(name)) for name in [ini.MAIN, *map(ini.file_of, addresses)]]


def offered(*, logger: Logger, name: str) -> ConfigVersion | None:
    """The version of a file that an operator wants the logger to have."""
    return ConfigVersion.objects.filter(logger=logger, name=name).exclude(offered_at=None).first()


@transaction.atomic
def offer(*, version: ConfigVersion, now: datetime, by: User | None) -> None:
    """Let the logger fetch `version` in its next session, if it allows that, in place of what it has."""
    withdraw(version=version)
    ConfigVersion.objects.filter(pk=version.pk).update(offered_at=now, offered_by=by, fetched_at=None)


def withdraw(*, version: ConfigVersion) -> None:
    """Offer no version of this file any more."""
    ConfigVersion.objects.filter(logger=version.logger_id, name=version.name).update(offered_at=None)


def fetched(*, version: ConfigVersion, now: datetime) -> None:
    """Note that the logger has fetched it."""
    ConfigVersion.objects.filter(pk=version.pk).update(fetched_at=now)


def text(version: ConfigVersion) -> str:
    """The file with its secrets masked, for people."""
    try:
        return ini.redacted(unpack(mirror.content(version)))
    except UnreadableError as error:
        return str(error)


def before(version: ConfigVersion) -> ConfigVersion | None:
    """The version of the same file that the logger had before."""
    others = ConfigVersion.objects.filter(logger=version.logger_id, name=version.name).exclude(pk=version.pk)
    return others.filter(first_at__lte=version.first_at).order_by("-first_at", "-pk").first()


def difference(old: ConfigVersion, new: ConfigVersion) -> str:
    """What changed, line by line, secrets masked."""
    names = (f"{old.name} {old.md5[:8]}", f"{new.name} {new.md5[:8]}")
    found = difflib.unified_diff(text(old).split("\n"), text(new).split("\n"), *names, n=2, lineterm="")
    return "\n".join(found)


def read_time(text: str) -> datetime | None:
    """A FILETIME; None for one that is no time."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _newest(logger: Logger) -> dict[str, ConfigVersion]:
    """Of each file the version that is offered, else the one that came last."""
    versions = ConfigVersion.objects.filter(logger=logger).defer("content").order_by("last_at", "pk")
    found = {version.name: version for version in versions}
    return found | {version.name: version for version in versions if version.offered_at}


def _entry(name: str, version: ConfigVersion | None) -> manifest.Entry:
    return manifest.Entry(name, version.md5, version.offered_at) if version else manifest.Entry(name)


def _apply(logger: Logger, name: str, text: str, now: datetime) -> None:
    if name == ini.MAIN:
        metering.set_configured_period(logger=logger, seconds=ini.log_period(text))
        return
    address = ini.address_of(name)
    if address is None:
        return
    layout = layouts.configured(logger=logger, address=address, points=ini.points(text), now=now)
    if layout is not None:
        refilling.read_again(device=layout.device, starts=ALWAYS, by=None)
