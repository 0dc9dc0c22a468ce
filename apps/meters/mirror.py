"""The content of configuration files that loggers sent, decrypted."""

from __future__ import annotations

import base64

from apps.meters.acquisuite import ini
from apps.meters.acquisuite.unpacking import unpack
from apps.meters.models import ConfigVersion, LoggerDevice


def content(version: ConfigVersion) -> bytes:
    """The file as it came, secrets and all: for the logger alone."""
    return base64.b64decode(version.content)


def points_of(device: LoggerDevice) -> dict[int, ini.Point]:
    """What the newest configuration of a device calls its points; nothing where there is none."""
    name = ini.file_of(device.address)
    found = ConfigVersion.objects.filter(logger=device.logger_id, name=name).order_by("-last_at").first()
    return ini.points(unpack(content(found))) if found else {}
