"""Every change to houses and their members, for the admin, the API and commands alike."""

from __future__ import annotations

from typing import TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.records import note
from apps.houses import credentials, deletion, zones
from apps.houses.credentials import Bundle
from apps.houses.models import House, Membership
from apps.jobs import run as jobs
from apps.jobs.models import Job


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
        add_member(house=house, user=by, by=by)
    return house, credentials.issue(house=house, by=by)


@transaction.atomic
def update_house(*, house: House, by: User | None, **changes: Unpack[Description]) -> None:
    """Save `changes` to `house`; another time zone starts a job. Raises ValidationError."""
    zone = House.objects.select_for_update().values_list("time_zone", flat=True).get(pk=house.pk)
    for field, value in changes.items():
        setattr(house, field, value)
    _save(house, by)
    if house.time_zone != zone:
        zones.changed(house, by)


def set_enabled(*, house: House, enabled: bool, by: User | None) -> None:
    """Let `house` accept readings, or refuse them within a minute. Its history stays either way.

    Raises ValidationError for one that is being deleted.
    """
    if enabled and deletion.under_way(house):
        raise ValidationError("This house is being deleted.")
    house.enabled = enabled
    _save(house, by)


@transaction.atomic
def delete_house(*, house: House, by: User | None) -> Job:
    """Disable `house` and start the job that deletes it with all that is of it. Raises ValidationError.

    A job that is cancelled, or fails, leaves it disabled with what is left; deleting it again goes on.
    """
    house = House.objects.select_for_update().get(pk=house.pk)
    if deletion.under_way(house):
        raise ValidationError("This house is being deleted already.")
    set_enabled(house=house, enabled=False, by=by)
    return jobs.start(
        kind=deletion.KIND, subject=house.name, by=by, house=house.pk, user=None if by is None else by.pk
    )


@transaction.atomic
def add_member(*, house: House, user: User, by: User | None = None) -> None:
    """Let `user` see `house`; harmless if they already do."""
    _, is_new = Membership.objects.get_or_create(house=house, user=user)
    if is_new:
        _note(house, user, by, "added to")


@transaction.atomic
def remove_member(*, house: House, user: User, by: User | None = None) -> None:
    """Hide `house` from `user`; harmless if it was hidden."""
    gone, _ = Membership.objects.filter(house=house, user=user).delete()
    if gone:
        _note(house, user, by, "removed from")


def _note(house: House, user: User, by: User | None, what: str) -> None:
    """In the history of both."""
    note(about=user, by=by, what=f"{what} {house.name}")
    note(about=house, by=by, what=f"{user.email} {what} it")


def _save(house: House, by: User | None) -> None:
    house.full_clean()
    house._history_user = by  # type: ignore[attr-defined]  # who, in the history
    house.save()
