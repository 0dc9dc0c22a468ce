"""Servers under measurement: start them, send to them, and read from the kernel what they used."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.desk.bench.results import BenchError
from config.embedded import free_port
from config.processes import die_with_parent, wait_until

SENDERS = 2
START_S = 60
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A process that listens on a port of loopback, with its children."""

    port: int
    pid: int

    def answers(self, path: str) -> bool:
        """Whether it answers at all."""
        try:
            _request(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5), "GET", path, b"", {})
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Target:
    """Where uploads go, with the headers of each of the senders, and how to tell a good answer."""

    server: Server
    path: str
    headers: Sequence[Mapping[str, str]]
    is_good: Callable[[int, bytes], bool]

    def send(self, bodies: Sequence[bytes]) -> float:
        """Post all bodies, each sender its share over one connection; returns the seconds it took.

        Raises BenchError.
        """
        shares = [bodies[number::SENDERS] for number in range(SENDERS)]
        started = time.perf_counter()
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(self._send_share, shares, self.headers))
        return time.perf_counter() - started

    def _send_share(self, bodies: Iterable[bytes], headers: Mapping[str, str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        for body in bodies:
            status, answer = _request(connection, "POST", self.path, body, headers)
            if not self.is_good(status, answer):
                raise BenchError(f"{self.path} answered {status}: {answer[:200].decode(errors='replace')}")
        connection.close()


@contextmanager
def gunicorn(application: str, *, environment: Mapping[str, str], path: str) -> Iterator[Server]:
    """A WSGI application under gunicorn, as `up` runs it; ready once it answers at `path`."""
    port = free_port()
    options = ["-b", f"127.0.0.1:{port}", "-k", "gthread", "-w", "1", "--threads", "8"]
    quiet = ["--no-control-socket", "--log-level", "warning"]
    argv = [sys.executable, "-m", "gunicorn", application, *options, *quiet]
    with serving(argv, port, environment=environment, path=path) as server:
        yield server


@contextmanager
def serving(argv: Sequence[str], port: int, *, environment: Mapping[str, str], path: str) -> Iterator[Server]:
    """A server process; what it prints goes to our standard error."""
    with subprocess.Popen(
        argv,
        cwd=settings.BASE_DIR,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        preexec_fn=die_with_parent(signal.SIGTERM),
    ) as process:
        try:
            server = Server(port, process.pid)
            if not wait_until(lambda: process.poll() is not None or server.answers(path), seconds=START_S):
                raise BenchError(f"{argv[0]} did not answer within {START_S} s.")
            if process.poll() is not None:
                raise BenchError(f"{argv[0]} ended with status {process.returncode}.")
            yield server
        finally:
            process.terminate()


def post(server: Server, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Post a body over a connection of its own; status and answer. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        return _request(connection, "POST", path, body, headers)
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes and their living descendants. Linux only."""
    return sum(_ticks(pid) for root in pids for pid in _family(root)) * TICK_S


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _request(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    connection.request(method, path, body, dict(headers))
    response = connection.getresponse()
    return response.status, response.read()
