"""Finding and awaiting real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from config.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
_OF_THIS_RUN = {"DATABASE_URL", "REDIS_URL", "WATTDESK_VAR", "PYTEST_XDIST_WORKER"}


def belonging_to(folder: Path) -> list[str]:
    """Command lines of living processes that work in `folder` or name it."""
    own = str(os.getpid())
    return [
        line
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and entry.name != own and (line := _line(entry, str(folder)))
    ]


def _line(entry: Path, folder: str) -> str:
    try:
        line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        cwd = str((entry / "cwd").readlink())
    except OSError:  # it ended while we looked, or is a zombie
        return ""
    return f"{entry.name} {line}" if folder in line or cwd.startswith(folder) else ""


def assert_none_left(folder: Path, *, seconds: float = 10) -> None:
    assert wait_until(lambda: not belonging_to(folder), seconds=seconds), belonging_to(folder)


def python(script: str, *arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a script of ours in the project's folder; without the URLs of the servers of this test run."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env=clean_environment(**(env or {})),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def clean_environment(**more: str) -> dict[str, str]:
    """Our environment without what belongs to this test run."""
    return {name: value for name, value in os.environ.items() if name not in _OF_THIS_RUN} | more


def kill(pid: int) -> None:
    """As the kernel does it to who takes too much memory: nothing of the victim's own runs any more."""
    os.kill(pid, signal.SIGKILL)
