"""What else changes when a house moves to another time zone. Higher layers register theirs."""

from __future__ import annotations

from collections.abc import Callable

from apps.accounts.models import User
from apps.houses.models import House

Follower = Callable[[House, User | None], None]
"""Called in the transaction of the change, with the house as it then is and who changed it."""

_followers: list[Follower] = []


def register(follower: Follower) -> None:
    """Have `follower` called whenever a house's time zone changes."""
    _followers.append(follower)


def changed(house: House, by: User | None) -> None:
    """Let all that follows the house's calendar know that it is another."""
    for follower in _followers:
        follower(house, by)
