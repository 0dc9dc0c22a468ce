"""``python -m collectors check``: read a device, and put its kind through the conformance suite."""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from collectors import drivers
from collectors.check.stage import deviations
from collectors.check.suite import CASES, examine
from collectors.drivers import DeviceError, Reading, ReadResult, Value
from collectors.simulation import simulator
from collectors.simulation.world import World

HELP = "put a kind of device through the conformance suite, or read a real device once"
EXAMPLE = "python -m collectors check egauge"

DAY_S = 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("kind", choices=drivers.kinds(), help="kind of device")
    parser.add_argument(
        "--config",
        type=Path,
        help="JSON file with a real device's settings: it is read once and no more",
    )


def run(options: argparse.Namespace) -> str | None:
    """Print the values; a sentence where a device cannot be read or a kind does not keep to the contract."""
    try:
        if options.config:
            return check(options.kind, msgspec.json.decode(options.config.read_bytes()))
        with simulator(options.kind, World(1, round(time.time() - DAY_S) * 1000)) as device:
            complaint = check(options.kind, device.config)
        return complaint or try_all(options.kind)
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
        sys.stdout.write(f"{name:48} {'missing' if value is None else value} {unit}\n")
    return " ".join(deviations(set(declared), set(values))) or None


def try_all(kind: str) -> str | None:
    """Put a kind through the suite, with a line for each case; what is wrong, or None."""
    failed = 0
    for case in CASES:
        complaint = examine(kind, case)
        failed += complaint is not None
        sys.stdout.write(f"FAILED  {case}: {complaint}\n" if complaint else f"ok      {case}\n")
        sys.stdout.flush()
    return f"{failed} of {len(CASES)} cases failed." if failed else None


def last_values(result: Mapping[str, Value] | ReadResult) -> dict[str, Value]:
    """The newest value of each field of what a driver returned."""
    readings = result.readings if isinstance(result, ReadResult) else [Reading(0, result)]
    return {name: value for reading in readings for name, value in reading.values.items()}
