import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from collectors.agent.spool import Row, Spool
from collectors.agent.timekeeping import Timekeeper
from collectors.simulation.egauge import Simulator
from collectors.simulation.world import World
from tests.collectors.agent.desk import Desk, open_desk
from tests.collectors.agent.drivers_for_tests import toy

__all__ = ["toy"]


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as desk:
        yield desk


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool.sqlite3")
    yield spool
    spool.close()


@pytest.fixture
def timekeeper() -> Timekeeper:
    """The clock of a machine that the server has found right."""
    timekeeper = Timekeeper()
    timekeeper.learn(None)
    return timekeeper


@pytest.fixture(scope="module")
def meter() -> Iterator[Simulator]:
    with Simulator(World(5, int(time.time() * 1000))) as meter:
        yield meter


def device(meter: Simulator, name: str = "egauge", **changes: Any) -> dict[str, Any]:
    """An entry of the configuration for the simulated meter."""
    config = {**meter.config, "keys": ["A.Solar", "A.Load"], "t_sample": 1.0}
    return {"name": name, "type": "egauge", "interval_s": 0.5, "config": config, **changes}


@pytest.fixture
def silent_address() -> Iterator[str]:
    """A device that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peers: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    peers.append(server.accept()[0])
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for peer in peers:
        peer.close()


@pytest.fixture
def garbage_address() -> Iterator[str]:
    """A device that answers whatever comes with something that is no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    with server.accept()[0] as peer:
                        peer.sendall(b"\x00\xff garbage \r\n\r\n" * 10)

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def reading(n: int, source: str = "egauge") -> Row:
    """A row of the spool with the n-th reading of a source."""
    return Row(source, 1_790_000_000_000 + n, "reading", b'{"fields":{"x":%d.0}}' % n)
