"""How long it is kept what loggers did. Readings, configurations and mappings are kept for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from apps.meters.models import UploadFile, UploadSession

KEEP = timedelta(days=365)
PIECE = 5_000
"""Files that one transaction deletes."""


def retain(*, now: datetime) -> None:
    """Forget files that came more than a year ago, and the sessions in which they did."""
    old = UploadFile.objects.filter(received_at__lt=now - KEEP)
    while piece := list(old.order_by("pk").values_list("pk", flat=True)[:PIECE]):
        UploadFile.objects.filter(pk__in=piece).delete()
    UploadSession.objects.filter(last_at__lt=now - KEEP, files=None).delete()
