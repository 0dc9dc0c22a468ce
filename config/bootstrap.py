"""From a fresh clone to an interpreter that has every package, whichever command is given first.

Standard library only, and parseable by Python 3.6, so that an old Python prints a sentence and no traceback.
"""

import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import IO, Any, Dict, List, Optional

OLDEST = (3, 11)
SWITCH = "WATTDESK_BOOTSTRAP"  # "off" in images that bring their own packages
_GUARD = "WATTDESK_BOOTSTRAPPED"
_LOCKS = ("requirements.txt", "requirements-dev.txt")
# What would point pip or Python at another environment, or leave ours uncompiled.
_MISLEADING = {
    *("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"),
    *("PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"),
}
# Thousands of modules of which a process imports a handful; Python compiles those when it meets them.
_NOT_COMPILED = "plotly/(validators|graph_objs)|/tests?/|/locale/|/pip/"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*\\?$")


class BootstrapError(Exception):
    """There is no way to an environment; the text says why, and what to do."""


def enter(argv: List[str]) -> None:
    """Return inside an interpreter that has our packages: this one, or one in `.venv`, made if need be.

    `argv` is that of `manage.py`; `test` needs the development packages too. Ends the process with a sentence
    when that is impossible.
    """
    if sys.version_info < OLDEST:
        sys.exit(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version.split()[0]}.")
    root = os.path.dirname(os.path.abspath(argv[0]))
    try:
        Project(root, testing=argv[1:2] == ["test"]).enter(argv)
    except BootstrapError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


class Project:
    """A project folder with its locks and its `.venv`."""

    def __init__(self, root: str, *, testing: bool) -> None:
        self.root = root
        self.testing = testing
        self.venv = os.path.join(root, ".venv")
        self.python = os.path.join(self.venv, "bin", "python")
        self.stamp = os.path.join(self.venv, ".installed.json")
        self.log = os.path.join(root, "var", "log", "bootstrap.log")
        self.base = getattr(sys, "_base_executable", None) or sys.executable

    def enter(self, argv: List[str]) -> None:
        """Carry on here, or execute ourselves in `.venv`, installing first if it does not fit."""
        just_made = os.environ.pop(_GUARD, None)  # not for our children, who would take it for their own loop
        if os.environ.get(SWITCH) == "off" or self.fits_here():
            return
        if just_made:
            raise BootstrapError(f"{self.venv} was just made, but does not work. Delete it and try again.")
        if not self.is_installed():
            self.install()
            os.environ[_GUARD] = "1"
        os.execv(self.python, [self.python, *argv])  # noqa: S606

    def fits_here(self) -> bool:
        """Whether this very interpreter has what the locks say."""
        inside = os.path.realpath(sys.prefix) == os.path.realpath(self.venv)
        if inside and self.is_stamped():
            if find_spec("django") is not None:
                return True
            os.unlink(self.stamp)  # another minor version of Python took the place of ours
            return False
        return has_pins(self.pins())

    def is_installed(self) -> bool:
        return os.access(self.python, os.X_OK) and self.is_stamped()

    def is_stamped(self) -> bool:
        """Whether the last complete installation was of these locks; more than needed is fine."""
        stamp, wanted = self.read_stamp(), self.digests()
        if stamp.get("all") == wanted["all"]:
            return True
        return not self.testing and stamp.get("runtime") == wanted["runtime"]

    def read_stamp(self) -> Dict[str, Any]:
        try:
            with open(self.stamp) as file:
                stamp = json.load(file)
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write_stamp(self) -> None:
        digests = self.digests()
        with open(self.stamp + ".new", "w") as file:
            json.dump(digests if self.testing else {"runtime": digests["runtime"]}, file)
        os.replace(self.stamp + ".new", self.stamp)

    def digests(self) -> Dict[str, str]:
        """The sha256 of the runtime lock, and of both locks together."""
        texts = []
        for name in _LOCKS:
            with open(os.path.join(self.root, name), "rb") as file:
                texts.append(file.read())
        runtime, both = hashlib.sha256(texts[0]), hashlib.sha256(b"".join(texts))
        return {"runtime": runtime.hexdigest(), "all": both.hexdigest()}

    def lock_files(self) -> List[str]:
        return [os.path.join(self.root, name) for name in _LOCKS[: 2 if self.testing else 1]]

    def pins(self) -> Dict[str, str]:
        """The unconditional pins of the locks this command needs: name to version."""
        found: Dict[str, str] = {}
        for path in self.lock_files():
            with open(path) as file:
                found.update((match.group(1), match.group(2)) for match in map(_PIN.match, file) if match)
        return found

    def install(self) -> None:
        """Make `.venv` fit. Of two first runs at once the second waits, and finds everything done."""
        import fcntl  # not on Windows, where the sentences above should still be read

        with self.open_lock() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.is_installed():
                with open(self.log, "wb") as log:
                    Installation(self, lock, log).run()

    def open_lock(self) -> IO[str]:
        try:
            os.makedirs(os.path.dirname(self.log), exist_ok=True)
            return open(os.path.join(self.root, "var", "bootstrap.lock"), "w")
        except OSError as error:
            raise BootstrapError(
                f"Wattdesk makes its environment in {self.root}, and cannot write there: {error.strerror}."
            ) from error


class Installation:
    """One attempt to fill `.venv`; the caller holds the lock, whose open file goes to the children.

    An orphan of a killed installation goes on writing: as it too holds the lock, the next attempt waits.
    """

    def __init__(self, project: Project, lock: IO[str], log: IO[bytes]) -> None:
        self.project = project
        self.lock = lock
        self.log = log
        self.uv = shutil.which("uv")
        self.started = time.time()
        self.child: Optional["subprocess.Popen[bytes]"] = None

    def run(self) -> None:
        """Raises BootstrapError; then, or when killed, no stamp is left, and the next start begins anew."""
        before = signal.signal(signal.SIGTERM, _end)
        try:
            self.make_environment()
            self.install_packages()
            self.compile()
            self.project.write_stamp()
        finally:
            self.end_child()
            signal.signal(signal.SIGTERM, before)
        say(f"Ready after {time.time() - self.started:.0f} s.")

    def make_environment(self) -> None:
        """Keep an environment that was once complete, for an older lock; make any other anew."""
        project = self.project
        if project.read_stamp() and os.access(project.python, os.X_OK):
            os.unlink(project.stamp)
            return
        say(f"Making .venv with Python {sys.version.split()[0]} ...")
        if not any(self.make_by(command) for command in self.makers()):
            raise BootstrapError(
                "This Python cannot make virtual environments. Install what it lacks (on Debian and Ubuntu: "
                "apt install python3-venv), or install uv, and run the command again.\n" + self.last_lines(5)
            )

    def makers(self) -> List[List[str]]:
        """The ways to make an environment, best first. Whether one works shows only when it is run."""
        project = self.project
        by_uv = [self.uv or "uv", "venv", "--quiet", "--no-project", "--python", project.base, project.venv]
        by_venv = [project.base, "-m", "venv"]
        makers = [[*by_venv, project.venv], [*by_venv, "--without-pip", project.venv]]
        return [by_uv, *makers] if self.uv else makers

    def make_by(self, command: List[str]) -> bool:
        """Run one maker in a clean place; true when the outcome works and packages can get into it."""
        venv = self.project.venv
        if os.path.islink(venv):
            os.unlink(venv)
        shutil.rmtree(venv, ignore_errors=True)
        made = self.call(command) == 0 and os.access(self.project.python, os.X_OK)
        return made and (self.uv is not None or self.has_pip())

    def pip(self) -> List[str]:
        """The environment's pip; where it has none, the base's, working on the environment."""
        if self.call([self.project.python, "-c", "import pip"]) == 0:
            return [self.project.python, "-m", "pip"]
        return [self.project.base, "-m", "pip", "--python", self.project.python]

    def has_pip(self) -> bool:
        return self.call([*self.pip(), "--version"]) == 0

    def install_packages(self) -> None:
        """By uv if there is one. By pip else, and when uv fails, as uv does not read pip's configuration."""
        options = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
        options += [part for path in self.project.lock_files() for part in ("-r", path)]
        if self.uv and self.install_by_uv(self.uv, options):
            return
        say(f"Installing {len(self.project.pins())} packages with pip; that takes about half a minute ...")
        quiet = ["--disable-pip-version-check", "--no-input", "--no-compile", "--progress-bar", "off"]
        if self.call([*self.pip(), "install", *quiet, *options], progress=True) != 0:
            raise BootstrapError(
                f"The packages could not be installed:\n{self.last_lines(15)}\n"
                "They are wheels for Linux (glibc) and macOS with Python 3.11 to 3.14, from the index that "
                "pip is set up for."
            )

    def install_by_uv(self, uv: str, options: List[str]) -> bool:
        say(f"Installing {len(self.project.pins())} packages with uv ...")
        command = [uv, "pip", "install", "--python", self.project.python, *options]
        if self.call(command, progress=True) == 0:
            return True
        if not self.has_pip():
            raise BootstrapError("The packages could not be installed:\n" + self.last_lines(15))
        say("uv could not; trying pip.")
        return False

    def compile(self) -> None:
        """On all cores, which pip does not do. Without, every start would take a second more."""
        library = glob.glob(os.path.join(self.project.venv, "lib", "python*", "site-packages"))
        self.call([self.project.python, "-m", "compileall", "-q", "-j", "0", "-x", _NOT_COMPILED, *library])

    def call(self, command: List[str], *, progress: bool = False) -> int:
        """Run to the end, output to the log; with `progress` a terminal shows what has arrived."""
        self.log.flush()
        try:
            self.child = subprocess.Popen(
                command,
                env={name: value for name, value in os.environ.items() if name not in _MISLEADING},
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                pass_fds=[self.lock.fileno()],
            )
        except OSError as error:
            self.log.write(f"{command[0]}: {error.strerror}\n".encode())
            return 127
        if progress and sys.stderr.isatty():
            self.show_progress(self.child)
        return self.child.wait()

    def show_progress(self, child: "subprocess.Popen[bytes]") -> None:
        total = len(self.project.pins())
        while child.poll() is None:
            sys.stderr.write(f"\r  {self.stage(total)}, {time.time() - self.started:.0f} s ")
            sys.stderr.flush()
            time.sleep(0.2)
        sys.stderr.write("\r" + " " * 50 + "\r")

    def stage(self, total: int) -> str:
        """How far the installation is, told from the files: uv and pip report differently, or not at all."""
        pattern = os.path.join(self.project.venv, "lib", "python*", "site-packages", "*.dist-info")
        installed = len(glob.glob(pattern))
        if installed > 2:
            return f"{min(installed, total)} of {total} installed"
        with open(self.project.log, errors="replace") as log:
            fetched = sum(line.startswith("Collecting ") for line in log)
        return f"{min(fetched, total)} of {total} fetched"

    def end_child(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()
            self.child.wait()

    def last_lines(self, count: int) -> str:
        self.log.flush()
        with open(self.project.log, errors="replace") as log:
            return "".join("  " + line for line in log.readlines()[-count:]).rstrip()


def has_pins(pins: Dict[str, str]) -> bool:
    """Whether this interpreter has every distribution at exactly this version.

    That Django can be imported would prove nothing: it may be the operating system's.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return bool(pins) and all(version(name) == wanted for name, wanted in pins.items())
    except PackageNotFoundError:
        return False


def say(text: str) -> None:
    """To stderr: what a command prints on stdout may be piped."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _end(number: int, frame: Any) -> None:
    sys.exit(128 + number)
