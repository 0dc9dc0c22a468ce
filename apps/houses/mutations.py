"""Every change to houses and their members, for the admin, the API and commands alike."""

from __future__ import annotations

from typing import TypedDict, Unpack

from django.db import transaction

from apps.accounts.models import User
from apps.houses import credentials
from apps.houses.credentials import Bundle
from apps.houses.models import House, Membership


class Description(TypedDict, total=False):
    """What may be edited of a house; its name never."""

    label: str
    description: str
    time_zone: str
    latitude: float | None
    longitude: float | None


@transaction.atomic
def create_house(
    *,
    by: User | None,
    name: str,
    label: str = "",
    description: str = "",
    time_zone: str = "UTC",
    latitude: float | None = None,
    longitude: float | None = None,
) -> tuple[House, Bundle]:
    """Save a house and its first credential; `by` becomes a member unless an administrator.

    Raises ValidationError. The bundle cannot be had again.
    """
    house = House(
        name=name,
        label=label,
        description=description,
        time_zone=time_zone,
        latitude=latitude,
        longitude=longitude,
    )
    _save(house, by)
    if by is not None and not by.is_superuser:
        add_member(house=house, user=by)
    return house, credentials.issue(house=house, by=by)


def update_house(*, house: House, by: User | None, **changes: Unpack[Description]) -> None:
    """Save `changes` to `house`. Raises ValidationError."""
    for field, value in changes.items():
        setattr(house, field, value)
    _save(house, by)


def set_enabled(*, house: House, enabled: bool, by: User | None) -> None:
    """Let `house` accept readings, or refuse them within a minute. Its history stays either way."""
    house.enabled = enabled
    _save(house, by)


def add_member(*, house: House, user: User) -> None:
    """Let `user` see `house`; harmless if they already do."""
    Membership.objects.get_or_create(house=house, user=user)


def remove_member(*, house: House, user: User) -> None:
    """Hide `house` from `user`; harmless if it was hidden."""
    Membership.objects.filter(house=house, user=user).delete()


def _save(house: House, by: User | None) -> None:
    house.full_clean()
    house._history_user = by  # type: ignore[attr-defined]  # who, in the history
    house.save()
