"""The panels of a house's page. Apps register theirs in `AppConfig.ready`; the page shows them in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.accounts.models import User
from apps.houses.models import House


@dataclass(frozen=True)
class LiveData:
    """What a panel adds to a house's live answer.

    `version` differs whenever the data would; `data` is asked for only when it is needed. Both depend on the
    person's role at most. `until` (Unix ms) is when time alone may change them, None for never.
    """

    version: str
    data: Callable[[], Mapping[str, Any]]
    until: int | None = None


Context = Callable[[House, User, datetime], Mapping[str, Any] | None]
Pulse = Callable[[House, datetime], object]
Live = Callable[[House, User, datetime], LiveData]


def _always_new(house: House, now: datetime) -> object:
    """The pulse of a panel that has none: its live data are asked for each time."""
    return now


def patient(house: House, now: datetime) -> object:
    """The pulse of a panel whose news may wait a minute, or come with the pulse of another."""
    return None


@dataclass(frozen=True)
class Panel:
    """One part of the page. A lower `order` stands higher.

    `template` gets what `context` returns besides `house`; None leaves the panel out. `live` offers what
    the page refreshes without being loaded again. `pulse` is one cheap query whose answer differs once
    something happened that `live` tells of; what it misses, pages learn within a minute.
    """

    name: str
    template: str
    order: int
    context: Context
    live: Live | None = None
    pulse: Pulse = _always_new


_panels: dict[str, Panel] = {}


def register(panel: Panel) -> None:
    """Add `panel` to every house's page. Raises ValueError when its name is taken."""
    if panel.name in _panels:
        raise ValueError(f"A house panel “{panel.name}” is registered already.")
    _panels[panel.name] = panel


def panels() -> list[Panel]:
    """Every panel, in the page's order."""
    return sorted(_panels.values(), key=lambda panel: (panel.order, panel.name))
