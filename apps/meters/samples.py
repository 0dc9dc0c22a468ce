"""What a device sent last, to be shown beside the question what it is."""

from __future__ import annotations

import math

from apps.inbox import bodies
from apps.meters.acquisuite.logfile import parse
from apps.meters.acquisuite.unpacking import UnreadableError, unpack
from apps.meters.models import Layout, UploadFile
from apps.meters.refilling import FOREVER


def newest(layout: Layout, count: int) -> list[str]:
    """The newest value of each of `count` points while the layout held; empty texts where there is none."""
    nothing = [""] * count
    files = UploadFile.objects.filter(
        device=layout.device_id, receipt__body__isnull=False, last__gte=layout.valid_from
    )
    found = files.order_by("-last").select_related("receipt").first()
    if found is None or found.receipt is None:
        return nothing
    try:
        log = parse(unpack(bodies.body_of(found.receipt)), newest=FOREVER)
    except (UnreadableError, bodies.BodyMissing, bodies.BodyDamaged):
        return nothing
    if not log.good.any():
        return nothing
    row = log.values[:, log.good][:, log.stamps[log.good].argmax()].tolist()
    texts = ["" if math.isnan(value) else f"{value:g}" for value in row]
    return (texts + nothing)[:count]
