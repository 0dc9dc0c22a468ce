"""``python -m collectors agent``."""

import argparse
import logging
import math
import os
import sqlite3
from pathlib import Path

from collectors.agent.agent import Agent, Pace, ThreadEndedError, run_until_signalled
from collectors.agent.bundle import BundleError, load_bundle
from collectors.agent.files import LockedError
from collectors.agent.spool import SPOOL_BOUND

HELP = "read the devices of a house and deliver their readings"
EXAMPLE = "python -m collectors agent --bundle garage.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    pace = Pace()
    parser.add_argument("--bundle", type=Path, required=True, help="the credential bundle of the house")
    parser.add_argument(
        "--state", type=Path, help="folder of spool and configuration (default: beside the bundle, .state)"
    )
    parser.add_argument("--insecure", action="store_true", help="allow plain HTTP to other machines")
    parser.add_argument(
        "--spool-bound",
        type=rows,
        default=SPOOL_BOUND,
        metavar="ROWS",
        help="readings and events kept while the server is away; beyond them the oldest are lost and counted "
        "(default: %(default)d)",
    )
    parser.add_argument(
        "--interval",
        type=seconds,
        metavar="SECONDS",
        help="seconds between two readings of every device (default: as configured)",
    )
    for name, help_text in (
        ("config", "between two looks at the configuration"),
        ("heartbeat", "without readings until a heartbeat is sent"),
        ("longest_pause", "at most between two attempts while the server is away"),
        ("timeout", "to wait for an answer of the server"),
    ):
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=seconds,
            default=getattr(pace, name),
            metavar="SECONDS",
            help=f"seconds {help_text} (default: %(default)g)",
        )


def rows(text: str) -> int:
    """A whole number above zero. Raises ValueError."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def seconds(text: str) -> float:
    """A time that passes. Raises ValueError."""
    if not 0 < (number := float(text)) < math.inf:
        raise ValueError
    return number


def run(options: argparse.Namespace) -> str | None:
    """Run the agent; what cannot even begin is returned as a sentence."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)  # SQLite's own companions of the spool are nobody else's business either
    state = options.state or options.bundle.with_suffix(".state")
    pace = Pace(options.config, options.heartbeat, options.longest_pause, options.timeout, options.interval)
    try:
        bundle = load_bundle(options.bundle, insecure=options.insecure)
        agent = Agent(bundle, state, pace, spool_bound=options.spool_bound)
    except (BundleError, LockedError) as error:
        return str(error)
    except sqlite3.Error as error:
        return f"The spool in {state} cannot be used: {error}."
    except OSError as error:
        return f"The state folder {state} cannot be used: {error.strerror}."
    try:
        run_until_signalled(agent)
    except ThreadEndedError as error:
        return str(error)
    return None
