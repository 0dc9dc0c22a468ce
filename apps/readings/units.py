"""The unit of what is worked out from values in a unit. Nothing is ever rescaled. Pure."""

from __future__ import annotations

_PER_TIME = ("W", "VA", "var")
_PREFIXES = ("", "n", "µ", "m", "k", "M", "G", "T")


def of_aggregate(aggregate: str, unit: str) -> str:
    """The unit of an aggregate of values in `unit`: kWh for the integral of kW."""
    if aggregate == "count":
        return ""
    return integrated(unit) if aggregate == "integral" else unit


def integrated(unit: str) -> str:
    """The unit of an integral over hours: kWh for kW, °C·h for °C; empty for an unknown one."""
    if not unit:
        return ""
    powers = {prefix + base for prefix in _PREFIXES for base in _PER_TIME}
    return f"{unit}h" if unit in powers else f"{unit}·h"
