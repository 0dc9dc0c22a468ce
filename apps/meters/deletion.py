"""What loggers leave in a house that is deleted: years of uploads, which go in pieces."""

from __future__ import annotations

from collections.abc import Iterator

from apps.houses.models import House
from apps.meters.models import UploadFile

PIECE = 5_000
"""Files that one transaction deletes."""


def uploads_of(house: House) -> Iterator[tuple[int, int]]:
    """Forget the files of a house's loggers; the receipts go with the house."""
    files = UploadFile.objects.filter(session__logger__house=house)
    total, done = files.count(), 0
    while piece := list(files.order_by("pk").values_list("pk", flat=True)[:PIECE]):
        UploadFile.objects.filter(pk__in=piece).delete()
        done += len(piece)
        yield done, max(total, done)
