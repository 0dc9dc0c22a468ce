"""``python -m collectors simulate``."""

import argparse
import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from collectors import drivers
from collectors.simulation import loggers, simulator
from collectors.simulation.world import House, World

HELP = "answer like a device, from a simulated house"
EXAMPLE = "python -m collectors simulate egauge --port 8081 --seed 7 --zone Europe/Paris"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    house = House()
    parser.add_argument("kind", choices=[*drivers.kinds(), loggers.KIND], help="kind of device")
    parser.add_argument("--port", type=int, default=0, help="port on loopback (default: any free one)")
    add_world_arguments(parser, house)
    loggers.add_arguments(parser)


def add_world_arguments(parser: argparse.ArgumentParser, house: House) -> None:
    """Declare which house and which weather."""
    parser.add_argument("--seed", type=int, default=1, help="another number is another life and weather")
    parser.add_argument("--zone", type=_zone, default=house.zone, help="time zone (default: %(default)s)")
    parser.add_argument("--latitude", type=float, default=house.latitude, help="degrees north (%(default)g)")
    parser.add_argument("--longitude", type=float, default=house.longitude, help="degrees east (%(default)g)")
    parser.add_argument("--volts", type=float, default=house.volts, help="of the mains (%(default)g)")
    parser.add_argument("--hertz", type=float, default=house.hertz, help="of the mains (%(default)g)")
    parser.add_argument("--solar", type=float, default=house.solar_kw, help="kW of the panels (%(default)g)")
    parser.add_argument(
        "--battery", type=float, default=house.battery_kw, help="kW of the battery, 0 for none (%(default)g)"
    )
    parser.add_argument(
        "--start", type=_date, help="UTC date at which registers stand at zero (default: 1 January)"
    )


def world_of(options: argparse.Namespace, now: datetime) -> World:
    """The world that the options describe."""
    start = options.start or datetime(now.year, 1, 1, tzinfo=UTC)
    house = House(
        zone=options.zone,
        latitude=options.latitude,
        longitude=options.longitude,
        volts=options.volts,
        hertz=options.hertz,
        solar_kw=options.solar,
        battery_kw=options.battery,
    )
    return World(options.seed, int(start.timestamp() * 1000), house)


def run(options: argparse.Namespace) -> str | None:
    """Answer, or call, until interrupted; what cannot begin is returned as a sentence."""
    now = datetime.now(UTC)
    world = world_of(options, now)
    stop = _until_interrupted()
    if options.kind == loggers.KIND:
        return loggers.run(options, world, stop)
    try:
        device = simulator(options.kind, world, port=options.port, clock=time.time)
        world.at(int(now.timestamp() * 1000))  # so that the first poll need not wait for the whole year
    except (OSError, OverflowError, ValueError) as error:
        return f"The simulated device cannot begin: {error}"
    with device as running:
        sys.stdout.write(
            f"A simulated {options.kind} answers; its driver's settings: {json.dumps(running.config)}\n"
        )
        sys.stdout.flush()
        stop.wait()
    return None


def _until_interrupted() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"there is no time zone “{text}”") from None


def _date(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is no date like 2026-01-31") from None
