"""What a value from a device is: a number, a state, or nothing."""

import re
from typing import Any

from collectors.drivers.contract import DeviceError, Value

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)

State = str | bool


def as_number(name: str, value: Value) -> float | State | None:
    """A number where there is one, also in text; otherwise the state, and None for what is no value.

    Raises DeviceError, naming the field, for what is neither number, text nor boolean.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return as_number(name, float(value)) if NUMBER.fullmatch(value) else value
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else None  # not so for NaN and infinity either
    raise DeviceError(f"The driver delivered {name} as {type(value).__name__}, which is no value.")


def measured(value: Any) -> float | None:
    """A measured number, also from text; None for everything else, whatever it is."""
    if not isinstance(value, str | int | float):
        return None
    number = as_number("", value)
    return None if isinstance(number, str | bool) else number


def stated(value: Any) -> Value:
    """A state, or a number that stands for one; None for what is neither."""
    return value if isinstance(value, str | int | float) else None
