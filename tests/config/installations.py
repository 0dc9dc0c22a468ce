"""Whole installations in folders of their own, started as a person would start them."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from apps.desk import running
from config.processes import wait_until
from tests.config.processes import ROOT, clean_environment


class Installation:
    """A running `up` or `demo` in a folder of its own, with all it printed so far."""

    def __init__(self, command: str, var: Path, port: int, **environment: str) -> None:
        self.var = var
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process = manage(var, command, "--port", str(port), **environment)
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def says(self, text: str) -> bool:
        """Wait for these words; false when it ended, or a minute passed, without them."""
        wait_until(lambda: text in self.output or self.process.poll() is not None, seconds=60)
        return text in self.output

    def answers(self) -> bool:
        return running.answers(self.url)

    def wait(self) -> int:
        status = self.process.wait(timeout=60)
        self._reader.join(timeout=5)
        return status

    def children(self, *words: str) -> set[int]:
        """Pids of our direct children whose command line has all these words."""
        return {pid for pid in _children(self.process.pid) if all(word in _words(pid) for word in words)}


def manage(var: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        cwd=var.parent,
        env=clean_environment(WATTDESK_VAR=str(var), PYTHONUNBUFFERED="1", **environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def family(pid: int) -> set[int]:
    """A process with all its descendants."""
    return {pid}.union(*(family(child) for child in _children(pid)))


def all_gone(pids: set[int]) -> bool:
    return not any(_words(pid) for pid in pids)
