"""What other apps look at for alerts: they register a detector in `AppConfig.ready`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from apps.alerts.kinds import Subject, Verdict

Seen = tuple[Subject, Verdict, dict[str, Any]]
"""Of a subject: how it fares, and the evidence (JSON) where it is faulty."""
Detector = Callable[[datetime], Iterable[Seen]]
"""Looks at all houses in a few statements. What it does not mention is fine."""

_detectors: dict[str, Detector] = {}


def register(name: str, detector: Detector) -> None:
    """Have `detector` look each minute. Raises ValueError when its name is taken."""
    if name in _detectors:
        raise ValueError(f"A detector “{name}” is registered already.")
    _detectors[name] = detector


def look(now: datetime) -> Iterator[Seen]:
    """What all of them see."""
    for detector in _detectors.values():
        yield from detector(now)
