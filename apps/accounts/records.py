"""What is done about people and houses without changing a field of theirs, put into their history."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User

LONGEST = 100
"""Characters of a reason in simple-history."""


def note(*, about: Any, by: User | None, what: str) -> None:
    """Say in the history of `about`, a saved object that has one, that `by` did `what` (None: the server)."""
    about._history_user = by
    about._change_reason = what if len(what) <= LONGEST else f"{what[: LONGEST - 1]}…"
    about.history.bulk_history_create([about], update=True)
    about._change_reason = None  # of what is saved next
