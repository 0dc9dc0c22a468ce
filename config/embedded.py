"""What PostgreSQL and valkey have in common as children of the keeper."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar

from config.layout import Layout
from config.privileges import Owner
from config.processes import command_line, is_alive, wait_until

# Nothing of our environment reaches the servers; above all no PG* variable and no locale.
CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}
_LONGEST_PAUSE = 5.0
_STEADY = 10.0  # seconds of life after which a death is no longer held against a server


class StartError(Exception):
    """A server did not start; the text says why."""


@dataclass
class Server:
    """One server: how it is started, known to be ready, restarted and stopped. Kinds fill in the gaps."""

    layout: Layout
    binary: Path
    owner: Owner
    password: str
    testing: bool = False
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    pause: float = 0.0
    started: float = 0.0
    _due: float = field(default=0.0, init=False)

    name: ClassVar[str]
    # Sent by the kernel when the keeper is killed, and first when it stops.
    stop_signal: ClassVar[signal.Signals]
    # What follows when it does not stop, and after how many seconds.
    escalation: ClassVar[Sequence[tuple[float, signal.Signals]]]

    def prepare(self) -> None:
        """Make the data folder unless it is there."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def configuration(self) -> bytes:
        """What the server reads from its standard input."""
        return b""

    def folder(self) -> Path:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def url(self) -> str:
        raise NotImplementedError

    def clear_leftover(self) -> None:
        """Stop what an earlier keeper left of *this* server, and remove what would prevent a start."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the process; it is not ready yet. The port stays what it was: clients know it."""
        self.port = self.port or free_port()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.PIPE,
            cwd=self.folder(),
            env=CLEAN_ENVIRONMENT,
            start_new_session=True,
            preexec_fn=self.owner.prepare_child(self.stop_signal),
        )
        if self.process.stdin is not None:
            self._configure(self.process.stdin)

    def _configure(self, stdin: IO[bytes]) -> None:
        # A broken pipe means that it died at once; whoever waits for it to be ready will notice.
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(self.configuration())

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def revive(self, now: float) -> bool:
        """Start again when dead: at once the first time, later after growing pauses. True when it did."""
        if self.is_running():
            return False
        if self.process is not None:
            self._note_death(now)
        if now < self._due:
            return False
        self.clear_leftover()
        self.start()
        return True

    def _note_death(self, now: float) -> None:
        steady = now - self.started > _STEADY
        self.pause = 0.0 if steady else min(max(self.pause * 2, 0.2), _LONGEST_PAUSE)
        self._due = now + self.pause
        self.process = None

    def stop(self) -> None:
        """Stop it cleanly, more firmly as time goes by."""
        if self.process is not None and self.is_running():
            stop_process(self.process.pid, self.stop_signal, self.escalation, self._is_gone)

    def _is_gone(self) -> bool:
        return not self.is_running()


def stop_process(
    pid: int,
    first: signal.Signals,
    escalation: Sequence[tuple[float, signal.Signals]],
    is_gone: Callable[[], bool],
) -> None:
    """Send `first`, then each signal of `escalation` after its seconds, until `is_gone()`."""
    _send(pid, first)
    for seconds, stronger in escalation:
        if wait_until(is_gone, seconds=seconds, step=0.02):
            return
        _send(pid, stronger)
    wait_until(is_gone, seconds=5)


def stop_stranger(
    pid: int, mark: str, first: signal.Signals, escalation: Sequence[tuple[float, signal.Signals]]
) -> None:
    """Stop a process that is no child of ours, if its command line carries `mark`; a pid proves nothing."""
    if mark in command_line(pid):
        stop_process(pid, first, escalation, lambda: not is_alive(pid) or mark not in command_line(pid))


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def free_port() -> int:
    """A port nobody listens on, below the range the kernel hands out to clients."""
    while True:
        port = random.randrange(15_000, 30_000)  # noqa: S311  not a secret
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
