"""The kinds of jobs. Apps register theirs in `AppConfig.ready`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate

if TYPE_CHECKING:
    from apps.jobs.running import Running

# Called as function(running, **args). As a worker may die half-way, it may be called again with the same
# arguments: what it did before must do no harm.
Function = Callable[Concatenate["Running", ...], None]


@dataclass(frozen=True)
class Kind:
    """What a job of this kind does, as a function and in words such as “Delete a house”."""

    function: Function
    title: str


_kinds: dict[str, Kind] = {}


def register(kind: str, function: Function, *, title: str) -> None:
    """Let jobs of `kind` be started. Raises ValueError when the name is taken."""
    if kind in _kinds:
        raise ValueError(f"A kind of job “{kind}” is registered already.")
    _kinds[kind] = Kind(function, title)


def function(kind: str) -> Function:
    """What runs jobs of `kind`. Raises KeyError when nothing does."""
    return _kinds[kind].function


def title(kind: str) -> str:
    """The kind in words; its name when an older version of this program left it behind."""
    return _kinds[kind].title if kind in _kinds else kind
