"""Drivers: one folder per kind of device. See ``contract`` for what a driver must offer.

Whoever uses drivers imports from here; a driver imports from ``collectors.drivers.contract``.
"""

from collectors.drivers.contract import (
    Command,
    Config,
    ConfigError,
    DeviceError,
    Driver,
    DriverModule,
    Event,
    Field,
    Keep,
    Reading,
    ReadResult,
    Remembers,
    Value,
    cleared,
    no_keep,
    warning,
    without_secrets,
)
from collectors.drivers.registry import (
    Setting,
    commands,
    describe,
    kinds,
    load,
    parse_command,
    parse_config,
    secret_fields,
    settings_of,
)

__all__ = [
    "Command",
    "Config",
    "ConfigError",
    "DeviceError",
    "Driver",
    "DriverModule",
    "Event",
    "Field",
    "Keep",
    "ReadResult",
    "Reading",
    "Remembers",
    "Setting",
    "Value",
    "cleared",
    "commands",
    "describe",
    "kinds",
    "load",
    "no_keep",
    "parse_command",
    "parse_config",
    "secret_fields",
    "settings_of",
    "warning",
    "without_secrets",
]
