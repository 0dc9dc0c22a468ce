"""Drivers: one folder per kind of device. See ``contract`` for what a driver must offer.

Whoever uses drivers imports from here; a driver imports from ``collectors.drivers.contract``.
"""

from collectors.drivers.contract import (
    Config,
    ConfigError,
    DeviceError,
    Driver,
    DriverModule,
    Event,
    Field,
    Reading,
    ReadResult,
    Remembers,
    Value,
    cleared,
    warning,
    without_secrets,
)
from collectors.drivers.registry import Setting, describe, kinds, load, parse_config, secret_fields

__all__ = [
    "Config",
    "ConfigError",
    "DeviceError",
    "Driver",
    "DriverModule",
    "Event",
    "Field",
    "ReadResult",
    "Reading",
    "Remembers",
    "Setting",
    "Value",
    "cleared",
    "describe",
    "kinds",
    "load",
    "parse_config",
    "secret_fields",
    "warning",
    "without_secrets",
]
