"""Put the parts of the agent together and run them until a signal ends them."""

import logging
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from collectors.agent.bundle import Bundle
from collectors.agent.client import Client
from collectors.agent.commander import Commander
from collectors.agent.configuration import Configurer
from collectors.agent.files import claim, private_folder
from collectors.agent.fleet import Fleet
from collectors.agent.orders import Orders
from collectors.agent.spool import SPOOL_BOUND, Spool
from collectors.agent.timekeeping import Timekeeper
from collectors.agent.uploader import Uploader

log = logging.getLogger(__name__)

PARTING_S = 3.0
WATCH_S = 1.0


class ThreadEndedError(Exception):
    """A thread that should run as long as the agent has ended."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the agent turns to the server, in seconds; ``interval`` for devices, or as configured."""

    config: float = 60.0
    heartbeat: float = 60.0
    longest_pause: float = 60.0
    timeout: float = 30.0
    interval: float | None = None


class Agent:
    """One house's agent: a fleet of pollers that fill the spool, an uploader that empties it."""

    def __init__(self, bundle: Bundle, state: Path, pace: Pace, *, spool_bound: int = SPOOL_BOUND) -> None:
        """Claim the state folder. Raises LockedError when another agent has it, sqlite3.Error, OSError."""
        self._lock = claim(private_folder(state))
        self._spool = Spool(state / "spool.sqlite3", bound=spool_bound)
        timekeeper = Timekeeper()
        orders = Orders(self._spool)
        self._fleet = Fleet(self._spool, timekeeper, orders, interval=pace.interval)
        self._commander = Commander(
            Client(bundle, timeout=pace.timeout), orders, self._fleet.give, interval=pace.config
        )
        self._configurer = Configurer(
            Client(bundle, timeout=pace.timeout),
            state / "config.json",
            self._fleet.apply,
            interval=pace.config,
        )
        self._uploader = Uploader(
            self._spool,
            Client(bundle, timeout=pace.timeout),
            timekeeper,
            config_version=self._configurer.version,
            commands_wait=self._commander.ask,
            heartbeat=pace.heartbeat,
            longest_pause=pace.longest_pause,
        )

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. What is in the spool then waits there for the next start.

        Raises ThreadEndedError when a part of the agent ended by itself: half an agent is worse than none.
        """
        workers = (self._uploader, self._configurer, self._commander)
        for worker in workers:
            worker.start()
        while not stop.wait(WATCH_S):
            if ended := [worker.name for worker in workers if not worker.is_alive()]:
                raise ThreadEndedError(f"The agent's {ended[0]} ended unexpectedly.")
        for worker in workers:
            worker.stop()
        silent = self._fleet.stop()
        for worker in workers:
            worker.join(PARTING_S)
        log.info("Stopped with %d rows waiting.", len(self._spool))
        if silent and not any(worker.is_alive() for worker in workers):
            self._spool.close()


def run_until_signalled(agent: Agent) -> None:
    """Run an agent until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    agent.run(stop)
