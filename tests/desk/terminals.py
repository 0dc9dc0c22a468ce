"""Terminals with folders and an environment of their own, and programs that stay until they are stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.processes import wait_until
from tests.config.processes import ROOT, clean_environment

LET_GO_S = 30


def environment(home: Path) -> dict[str, str]:
    """That of somebody whose `python3` is the interpreter of this run, and whose mirror of packages is down.

    What is installed here counts as installed in environments that are made there, so pip finds all it wants.
    """
    packages = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    who = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
    return clean_environment(
        HOME=str(home),
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        PYTHONPATH=os.pathsep.join(packages),
        PYTHONUNBUFFERED="1",
        PIP_NO_INDEX="1",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        **{f"GIT_{one}": "nora@example.com" for one in who},
    )


def repository(folder: Path) -> Path:
    """A bare repository in `folder` of the files of this project as they are now, committed or not."""
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    here = "\0".join(name for name in listed.split("\0") if name and (ROOT / name).is_file())
    bare = folder / "wattdesk.git"
    _git("init", "--quiet", "--bare", "--initial-branch", "main", str(bare), cwd=folder)
    work = ["--git-dir", str(bare), "--work-tree", str(ROOT)]
    _git(*work, "add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul", cwd=ROOT, given=here)
    _git(*work, "commit", "--quiet", "--message", "As it is", cwd=ROOT)
    return bare


def _git(*arguments: str, cwd: Path, given: str = "") -> str:
    command, env = ["git", *arguments], environment(cwd)
    return subprocess.run(
        command, cwd=cwd, env=env, input=given, capture_output=True, text=True, check=True
    ).stdout


class Program:
    """One that stays, with all that it printed so far."""

    def __init__(self, code: str, cwd: Path, env: Mapping[str, str]) -> None:
        self.output = ""
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {code}"],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line

    def says(self, text: str, *, seconds: float) -> bool:
        """Wait for these words; false when it ended, or the time is up, without them."""
        return bool(self.finds(re.compile(re.escape(text)), seconds=seconds))

    def finds(self, pattern: re.Pattern[str], *, seconds: float) -> list[Any]:
        """Wait for what matches, and return all that does; empty when it ended, or the time is up, before."""
        wait_until(
            lambda: pattern.search(self.output) is not None or self._process.poll() is not None,
            seconds=seconds,
        )
        return pattern.findall(self.output)

    def stop(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=LET_GO_S)
        finally:
            self._process.kill()
        self._reader.join(timeout=LET_GO_S)


@dataclass
class Terminal:
    """A shell in a folder that only it uses."""

    folder: Path
    env: Mapping[str, str]
    staying: dict[str, Program] = field(default_factory=dict)

    def run(self, code: str) -> None:
        """Run commands to a good end; the next ones begin in the folder where these ended."""
        script = f"set -e\n{code}\necho; pwd"
        done = subprocess.run(
            ["/bin/bash", "-c", script], cwd=self.folder, env=self.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.folder = Path(done.stdout.splitlines()[-1])

    def start(self, code: str) -> Program:
        """Start what stays; the same again takes the place of what runs."""
        if running := self.staying.pop(code, None):
            running.stop()
        self.staying[code] = Program(code, self.folder, self.env)
        return self.staying[code]

    def leave(self) -> None:
        """Stop all that stays, the last first."""
        while self.staying:
            self.staying.popitem()[1].stop()
