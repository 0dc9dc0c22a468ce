"""Tells layers above, which keep a house's local days, that its time zone was edited."""

from __future__ import annotations

from collections.abc import Callable

from apps.houses.models import House

Listener = Callable[[House, str], None]

_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Call `listener(house, old_zone)` in the transaction of every zone edit. For AppConfig.ready."""
    if listener not in _listeners:
        _listeners.append(listener)


def announce(house: House, old_zone: str) -> None:
    """Tell every listener that `house` left `old_zone`."""
    for listener in _listeners:
        listener(house, old_zone)
