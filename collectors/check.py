"""``python -m collectors check``: read a device once and hold the answer against what its driver declares."""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from collectors import drivers
from collectors.drivers import DeviceError, Reading, ReadResult, Value
from collectors.simulation import simulator
from collectors.simulation.world import World

HELP = "read a device once, by default a simulated one, and check the answer against the declared fields"
EXAMPLE = "python -m collectors check egauge --config meter.json"

ALWAYS_ALLOWED = {"_quality", "_length"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("kind", choices=drivers.kinds(), help="kind of device")
    parser.add_argument("--config", type=Path, help="JSON file with a real device's settings")


def run(options: argparse.Namespace) -> str | None:
    """Print the values; a sentence where the device cannot be read or does not keep to its declaration."""
    try:
        if options.config:
            return check(options.kind, msgspec.json.decode(options.config.read_bytes()))
        with simulator(options.kind, World(1, round(time.time() * 1000))) as device:
            return check(options.kind, device.config)
    except OSError as error:
        return f"{options.config} cannot be read: {error.strerror}."
    except msgspec.DecodeError as error:
        return f"{options.config} is not JSON: {error}."


def check(kind: str, raw: Mapping[str, Any]) -> str | None:
    """Read a device with these settings once; what is wrong, or None."""
    try:
        config = drivers.parse_config(kind, raw)
        values = last_values(drivers.load(kind).Driver(config).read())
    except (drivers.ConfigError, DeviceError) as error:
        return str(error)
    declared = {field.name: field for field in drivers.load(kind).fields(config)}
    for name, value in values.items():
        unit = declared[name].unit if name in declared else ""
        sys.stdout.write(f"{name:24} {'missing' if value is None else value} {unit}\n")
    return " ".join(deviations(set(declared), set(values))) or None


def last_values(result: Mapping[str, Value] | ReadResult) -> dict[str, Value]:
    """The newest value of each field of what a driver returned."""
    readings = result.readings if isinstance(result, ReadResult) else [Reading(0, result)]
    return {name: value for reading in readings for name, value in reading.values.items()}


def deviations(declared: set[str], delivered: set[str]) -> Iterator[str]:
    """Sentences about fields that are declared and not delivered, or the other way round."""
    if missing := declared - delivered:
        yield f"Declared but not delivered: {', '.join(sorted(missing))}."
    if surplus := delivered - declared - ALWAYS_ALLOWED:
        yield f"Delivered but not declared: {', '.join(sorted(surplus))}."
