"""Keys that edge agents prove their house with: made here, shown once, kept only as a SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User
from apps.houses.memory import Memory
from apps.houses.models import EdgeCredential, House

KEY_BYTES = 32
HINT_LENGTH = 6
# A revoked key may work this much longer in a process that remembers it.
MEMORY_AGE = timedelta(seconds=60)
MEMORY_SIZE = 4096
USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Bundle:
    """What an agent needs to reach us; `key` exists nowhere else."""

    house: str
    url: str
    key: str

    def as_dict(self) -> dict[str, str]:
        """The content of the agent's bundle file."""
        return asdict(self)


def issue(*, house: House, by: User | None = None) -> Bundle:
    """Add a credential to `house` and return its bundle, which cannot be had again."""
    key = secrets.token_urlsafe(KEY_BYTES)
    EdgeCredential.objects.create(house=house, hint=key[:HINT_LENGTH], digest=digest(key), created_by=by)
    return Bundle(house=house.name, url=settings.PUBLIC_URL, key=key)


def rotate(*, house: House, by: User | None = None) -> Bundle:
    """Add a credential to `house` and revoke all others; they stop working within a minute."""
    with transaction.atomic():
        House.objects.select_for_update().get(pk=house.pk)  # two rotations at once must leave one key
        house.credentials.filter(revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by)
        return issue(house=house, by=by)


def revoke(*, credential: EdgeCredential, by: User | None = None) -> None:
    """Stop `credential` from working, within a minute; a revoked one stays as it is."""
    EdgeCredential.objects.filter(pk=credential.pk, revoked_at=None).update(
        revoked_at=timezone.now(), revoked_by=by
    )
    credential.refresh_from_db(fields=["revoked_at", "revoked_by"])


def digest(key: str) -> bytes:
    """What is stored of a key. A 256-bit random key needs no slow hash and no salt."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def verify(key: str, *, now: datetime) -> House | None:
    """The house `key` belongs to, disabled or not; None for an unknown or revoked key.

    An answer, good or bad, is remembered for up to a minute per process; `last_used_at` is written at most
    once a minute for all processes together.
    """
    key_digest = digest(key)
    if house := _good.recall(key_digest, now):
        return house
    if _bad.recall(key_digest, now):
        return None
    credential = _usable(key_digest)
    if credential is None:
        _bad.keep(key_digest, True, now)
        return None
    _note_use(credential, now)
    _good.keep(key_digest, credential.house, now)
    return credential.house


def forget() -> None:
    """Drop what this process remembers of keys."""
    _good.clear()
    _bad.clear()


def _usable(key_digest: bytes) -> EdgeCredential | None:
    usable = EdgeCredential.objects.filter(digest=key_digest, revoked_at=None)
    return usable.select_related("house").first()


def _note_use(credential: EdgeCredential, now: datetime) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    EdgeCredential.objects.filter(stale, pk=credential.pk).update(last_used_at=now)


# Two memories, so that a flood of wrong keys pushes no right one out.
_good: Memory[House] = Memory(size=MEMORY_SIZE, age=MEMORY_AGE)
_bad: Memory[bool] = Memory(size=MEMORY_SIZE, age=MEMORY_AGE)
