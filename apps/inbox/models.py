"""What other people's machines sent or we fetched, as it came, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q

from apps.houses.models import House

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User


class State(models.TextChoices):
    RECEIVED = "received", "Received"
    PARSED = "parsed", "Parsed"
    NEEDS_MAPPING = "needs_mapping", "Needs mapping"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Expired"


class Body(models.Model):
    """Bytes under their SHA-256: what arrives again is kept once. Read them with `apps.inbox.bodies`."""

    sha256 = models.CharField("SHA-256", max_length=64, primary_key=True)
    size = models.PositiveIntegerField(help_text="Bytes, as they came.")
    compressed = models.BooleanField(help_text="Whether the payload is a zstd frame; else the bytes as such.")
    payload = models.BinaryField()

    class Meta:
        verbose_name_plural = "bodies"

    def __str__(self) -> str:
        return self.sha256


class ReceiptQuerySet(models.QuerySet["Receipt"]):
    def visible_to(self, user: User | AnonymousUser) -> ReceiptQuerySet:
        """The receipts of the houses `user` may know of; those of no house are an administrator's."""
        if user.is_superuser:
            return self
        return self.filter(house__in=House.objects.visible_to(user))


class Receipt(models.Model):
    """One arrival."""

    kind = models.CharField(max_length=40, help_text="What it is, which decides about who parses it.")
    origin = models.CharField(max_length=200, help_text="Who sent it, or where we fetched it.")
    house = models.ForeignKey(
        House,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="receipts",
        help_text="Empty: of no single house.",
    )
    received_at = models.DateTimeField("received", db_index=True)
    metadata = models.JSONField(default=dict, blank=True, help_text="What came with the body.")
    body = models.ForeignKey(
        Body, models.PROTECT, null=True, blank=True, related_name="receipts", help_text="Empty: expired."
    )
    state = models.CharField(max_length=13, choices=State.choices, default=State.RECEIVED)
    error = models.CharField(max_length=500, blank=True, help_text="Why it failed, or what needs mapping.")
    attempts = models.PositiveSmallIntegerField(default=0)
    parser_version = models.PositiveIntegerField(null=True, blank=True)
    parsed_at = models.DateTimeField("parsed", null=True, blank=True)

    objects: ClassVar[ReceiptQuerySet] = ReceiptQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["kind", "state"], name="receipt_kind_state"),
            models.Index(fields=["id"], name="receipt_unparsed", condition=Q(state="received")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def filename(self) -> str:
        """What the body is called when people download it: as its sender called it, without any folder."""
        given: Any = self.metadata.get("filename")
        name = given.replace("\\", "/").rpartition("/")[2].strip(". ") if isinstance(given, str) else ""
        return name if name and name.isprintable() else f"{self.kind}-{self.pk}.bin"
