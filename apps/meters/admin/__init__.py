"""Loggers, what they sent, the meters behind them, and meter sets, in the admin."""

from apps.meters.admin import (
    assignments,
    classes,
    configs,
    devices,
    loggers,
    meters,
    sets,
    unclaimed,
    uploads,
)

__all__ = [
    "assignments",
    "classes",
    "configs",
    "devices",
    "loggers",
    "meters",
    "sets",
    "unclaimed",
    "uploads",
]
