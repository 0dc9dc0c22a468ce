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

    `version` is cheap and differs whenever the data would; `data` is asked for only when it is needed.
    """

    version: str
    data: Callable[[], Mapping[str, Any]]


Context = Callable[[House, User, datetime], Mapping[str, Any] | None]
Live = Callable[[House, User, datetime], LiveData]


@dataclass(frozen=True)
class Panel:
    """One part of the page. A lower `order` stands higher.

    `template` gets what `context` returns besides `house`; None leaves the panel out. `live` offers what
    the page refreshes without being loaded again.
    """

    name: str
    template: str
    order: int
    context: Context
    live: Live | None = None


_panels: dict[str, Panel] = {}


def register(panel: Panel) -> None:
    """Add `panel` to every house's page. Raises ValueError when its name is taken."""
    if panel.name in _panels:
        raise ValueError(f"A house panel “{panel.name}” is registered already.")
    _panels[panel.name] = panel


def panels() -> list[Panel]:
    """Every panel, in the page's order."""
    return sorted(_panels.values(), key=lambda panel: (panel.order, panel.name))
