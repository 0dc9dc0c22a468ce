"""``python -m collectors simulate acquisuite``: loggers that call a server until they are stopped."""

import argparse
import base64
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import requests

from collectors.simulation.acquisuite import BUS, METERS, Box, Logger, Post
from collectors.simulation.world import World

KIND = "acquisuite"
HOUR_S, DAY_S = 3_600, 86_400
TIMEOUT_S = 60
PAUSE_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that only loggers have."""
    group = parser.add_argument_group("of an acquisuite, which calls a server instead of answering")
    group.add_argument(
        "--url", help="upload address, such as http://127.0.0.1:8000/api/v1/loggers/acquisuite/"
    )
    group.add_argument(
        "--logger",
        action="append",
        type=_box,
        default=[],
        metavar="SERIAL:PASSWORD[:METERS[:SKEW]]",
        help="a logger, its meters joined by + of load, solar, utility (these three) and chiller, and the"
        " seconds that its clock is ahead; repeat it for more",
    )
    group.add_argument("--days", type=float, default=1.0, help="days of backlog to begin with (%(default)g)")
    group.add_argument("--period", type=int, default=900, help="seconds between rows (%(default)d)")
    group.add_argument("--every", type=float, default=60.0, help="seconds between two calls (%(default)g)")
    group.add_argument("--basic", action="store_true", help="log in by HTTP Basic, not by the form")
    group.add_argument("--swapped", type=float, help="hours ago at which other meters replaced its meters")
    group.add_argument("--once", action="store_true", help="bring the backlog and end")


def run(options: argparse.Namespace, world: World, stop: threading.Event) -> str | None:
    """Call until stopped, saying what came of each call; what cannot begin is returned as a sentence."""
    if not options.url or not options.logger:
        return "A simulated logger needs --url and at least one --logger."
    now = datetime.now(UTC).timestamp()
    start = max(world.start / 1000, now - options.days * DAY_S)
    loggers = [_logger(box, options, world, start, now) for box in options.logger]
    for moment in _midnights(start, now):
        for one in loggers:
            one.log(moment)
    while not stop.is_set():
        failed = [one for one in loggers if not _call(one, options.url)]
        if options.once:
            return "Not everything was taken." if failed else None
        stop.wait(options.every)
    return None


def poster(url: str, box: Box) -> Post:
    """Sends forms to `url` as `box` logs in."""
    session = requests.Session()
    session.trust_env = False
    login = base64.b64encode(f"{box.serial}:{box.password}".encode()).decode()

    def post(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        more = {"Authorization": f"Basic {login}"} if box.basic else {}
        answer = session.post(
            url, data=body, headers={**headers, **more}, timeout=TIMEOUT_S, allow_redirects=False
        )
        return answer.status_code, answer.content.decode("latin-1")

    return post


def _logger(box: Box, options: argparse.Namespace, world: World, start: float, now: float) -> Logger:
    settings = Box(
        serial=box.serial,
        password=box.password,
        meters=box.meters,
        period=options.period,
        skew=box.skew,
        form=not options.basic,
        basic=options.basic,
        swapped=None if options.swapped is None else now - options.swapped * HOUR_S,
    )
    return Logger(world, settings, start=start)


def _midnights(start: float, now: float) -> list[float]:
    """When a logger rotates its files: each UTC midnight since `start`."""
    first = int(start // DAY_S + 1)
    return [float(day * DAY_S) for day in range(first, int(now // DAY_S) + 1)]


def _call(logger: Logger, url: str) -> bool:
    """One session; whether the flash is empty after it."""
    now = datetime.now(UTC).timestamp()
    logger.log(now)
    steps = logger.session(poster(url, logger.box), now)
    taken = sum(step.success for step in steps)
    last = steps[-1]
    sys.stdout.write(
        f"{logger.box.serial}: {taken} of {len(steps)} requests taken, {len(logger.files)} files wait;"
        f" the last was {last.mode}, answered {last.status or 'nothing'}\n"
    )
    sys.stdout.flush()
    return not logger.files


def _box(text: str) -> Box:
    serial, _, rest = text.partition(":")
    password, *more = rest.split(":")
    try:
        meters = tuple(more[0].split("+")) if more and more[0] else BUS
        skew = float(more[1]) if len(more) > 1 else 0.0
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{more[1]}” is no number of seconds") from None
    if not serial or not password or not set(meters) <= METERS.keys():
        raise argparse.ArgumentTypeError("write SERIAL:PASSWORD, then perhaps :load+solar and :SKEW")
    return Box(serial, password, meters=meters, skew=skew)
