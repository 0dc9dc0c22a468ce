"""Runs a few processes together: prefixes their lines, restarts who dies, and leaves nobody behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from config.processes import die_with_parent

_TICK = 0.1
_STEADY = 30.0  # seconds; a shorter life is a quick death
_QUICK_DEATHS = 6
_LONGEST_PAUSE = 10.0
_GRACE = 6.0  # seconds between SIGTERM and SIGKILL
_COLOURS = (36, 33, 32, 35, 34, 31)  # of the prefixes, on a terminal


@dataclass(frozen=True)
class Child:
    """A process to keep running in the folder `cwd` (ours).

    `env` is added to our own environment; with `after` it is not started before that returns true.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    after: Callable[[], bool] | None = None
    cwd: Path | None = None


@dataclass
class _Running:
    """A child with its present process and its record."""

    child: Child
    prefix: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    relay: threading.Thread | None = None
    due: float = 0.0
    quick_deaths: int = 0

    def is_due(self, now: float) -> bool:
        return self.process is None and now >= self.due and (self.child.after is None or self.child.after())


class Supervisor:
    """Starts children from the thread that calls `run`, which must be the main one."""

    def __init__(self, children: Sequence[Child], *, output: IO[str] | None = None) -> None:
        self._output = output or sys.stdout
        self._lock = threading.Lock()
        self._status: int | None = None
        self._children_are_heard = True
        width = max((len(child.name) for child in children), default=0)
        self._running = [
            _Running(child, self._prefix(index, child.name.ljust(width)))
            for index, child in enumerate(children)
        ]

    def run(
        self,
        *,
        ready: Callable[[], bool] | None = None,
        announce: str = "",
        broken: Callable[[], str | None] | None = None,
    ) -> int:
        """Run the children until a signal, a child that keeps dying, or a reason of `broken`; then stop all.

        A reason is the last line: what the children say after it is about that same loss, and is dropped.
        Prints `announce` once `ready()` is true. Returns 143 after SIGTERM, 130 after Ctrl-C, 129 when the
        terminal was closed, else 1.
        """
        with self._signals():
            try:
                while self._status is None:
                    self._tick(broken)
                    if self._status is None and announce and (ready is None or ready()):
                        self.say(announce)
                        announce = ""
                    time.sleep(_TICK)
            finally:
                self._stop_all()
        return self._status or 1

    def say(self, text: str, prefix: str = "") -> None:
        """Write whole lines; what a closed terminal refuses is lost, and must not keep us from stopping."""
        with self._lock:
            self._write(text, prefix)

    def _write(self, text: str, prefix: str = "") -> None:
        try:
            self._output.writelines(f"{prefix}{line}\n" for line in text.splitlines())
            self._output.flush()
        except OSError:
            self._fall_silent()

    def _fall_silent(self) -> None:
        """Send the rest nowhere: what stays buffered would fail at exit and change our status."""
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123  not a path of ours
            os.dup2(nowhere.fileno(), self._output.fileno())

    def _tick(self, broken: Callable[[], str | None] | None) -> None:
        now = time.monotonic()
        for running in self._running:
            if running.process is not None and _has_ended(running.process.pid):
                self._bury(running, now)
            if self._status is None and running.is_due(now):
                self._start(running, now)
        reason = broken() if broken else None
        if reason and self._status is None:
            self._end_with(reason)

    def _end_with(self, reason: str) -> None:
        with self._lock:
            self._write(reason)
            self._children_are_heard = False
        self._status = 1

    def _start(self, running: _Running, now: float) -> None:
        running.started = now
        running.process = subprocess.Popen(
            list(running.child.argv),
            cwd=running.child.cwd,
            env={**os.environ, **running.child.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C reaches us alone
            # Once we are gone nobody would end a child that is slow to heed SIGTERM.
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        arguments = (running.process.stdout, running.prefix)
        running.relay = threading.Thread(target=self._relay, args=arguments, daemon=True)
        running.relay.start()

    def _relay(self, pipe: IO[bytes], prefix: str) -> None:
        with pipe:
            for line in pipe:  # to its end even when nobody hears it: a full pipe would block the child
                with self._lock:
                    if self._children_are_heard:
                        self._write(line.decode(errors="replace").rstrip("\n"), prefix)

    def _bury(self, running: _Running, now: float) -> None:
        """Reap a dead child with what is left of its group, and decide when it starts again."""
        status = _reap(running)
        quick = now - running.started < _STEADY
        running.quick_deaths = running.quick_deaths + 1 if quick else 1
        name = running.child.name
        if running.quick_deaths >= _QUICK_DEATHS:
            self.say(f"{name} ended {_QUICK_DEATHS} times within seconds of its start ({status}); stopping.")
            self._status = 1
            return
        pause = min(2.0 ** (running.quick_deaths - 1), _LONGEST_PAUSE)
        running.due = now + pause
        self.say(f"{name} ended ({status}); starting it again in {pause:.0f} s.")

    def _stop_all(self) -> None:
        """SIGTERM to each child, which knows its own helpers; after the grace SIGKILL to all of its group."""
        alive = [running for running in self._running if running.process is not None]
        for running in alive:
            _signal(running, os.kill, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        while alive and time.monotonic() < deadline:
            alive = [running for running in alive if not self._has_stopped(running)]
            time.sleep(0.02)
        for running in alive:
            _reap(running)
        for running in self._running:  # their last words
            if running.relay is not None:
                running.relay.join(timeout=0.5)

    def _has_stopped(self, running: _Running) -> bool:
        if running.process is not None and not _has_ended(running.process.pid):
            return False
        _reap(running)
        return True

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn the signals that end a program into a status; a second one changes nothing."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._status = 128 + number if self._status is None else self._status

    def _prefix(self, index: int, name: str) -> str:
        if not self._output.isatty():
            return f"{name} | "
        return f"\033[{_COLOURS[index % len(_COLOURS)]}m{name} |\033[0m "


def run(
    children: Sequence[Child],
    *,
    ready: Callable[[], bool] | None = None,
    announce: str = "",
    broken: Callable[[], str | None] | None = None,
) -> int:
    """Supervise `children` until the end; see `Supervisor.run`."""
    return Supervisor(children).run(ready=ready, announce=announce, broken=broken)


def _has_ended(pid: int) -> bool:
    # Without reaping: as long as the dead leader is not reaped, nobody else can get its group's number.
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reap(running: _Running) -> str:
    """Kill what is left of the child's group, collect it, and say how it ended."""
    process = running.process
    if process is None:
        return "not started"
    _signal(running, os.killpg, signal.SIGKILL)
    status = process.wait()
    running.process = None
    return f"signal {-status}" if status < 0 else f"status {status}"


def _signal(running: _Running, send: Callable[[int, int], None], number: signal.Signals) -> None:
    if running.process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(running.process.pid, number)
