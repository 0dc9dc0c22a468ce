"""The keeper: a small process that runs the embedded servers for as long as anybody uses them.

Users share a lock (`run/users.lock`); the keeper tries to take it alone, and when it gets it, nobody is left,
however the last one ended. Started by `config.servers` as `python -m config.keeper` without site packages.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from config.embedded import Server, StartError, free_port
from config.layout import Layout, write_private
from config.locks import FileLock
from config.postgres import Postgres
from config.privileges import Owner, PrivilegeError, choose_owner
from config.processes import wait_until
from config.valkey import Valkey

TICK = 0.2
_READY_SECONDS = 120  # crash recovery after a full disk may take its time
_PORT_ATTEMPTS = 5


@dataclass(frozen=True)
class Services:
    """What the keeper tells its users, as in `services.json`."""

    database_url: str
    redis_url: str
    keeper_pid: int
    postgres_pid: int
    postgres_port: int
    valkey_pid: int
    valkey_port: int

    @classmethod
    def read(cls, layout: Layout) -> "Services":
        """Raises OSError when there is no such file, ValueError or TypeError when it is not ours."""
        return cls(**json.loads(layout.services.read_text()))

    def write(self, layout: Layout) -> None:
        write_private(layout.services, json.dumps(asdict(self), indent=1) + "\n")


class Keeper:
    """Holds the keeper's lock and the two servers."""

    def __init__(self, layout: Layout, programs: dict[str, Path], *, testing: bool) -> None:
        self.layout = layout
        self.testing = testing
        self.programs = programs
        self.alive = FileLock(layout.keeper_lock)
        self.users = FileLock(layout.users_lock)
        self.servers: list[Server] = []
        self.told_to_stop = False

    def start(self) -> None:
        """Start both servers, write `services.json`. Raises StartError or PrivilegeError with a sentence."""
        owner = choose_owner(program=self.programs["postgres"], folder=self.layout.var)
        passwords, fresh = _passwords(self.layout)
        postgres, valkey = self._postgres(owner, passwords), self._valkey(owner, passwords)
        self.servers = [postgres, valkey]
        for server in self.servers:
            server.clear_leftover()
        self.layout.services.unlink(missing_ok=True)
        known = postgres.folder().exists()
        for server in self.servers:
            server.prepare()
        if known and fresh:
            postgres.adopt_password()
        self._start_servers()
        self._tell()

    def _postgres(self, owner: Owner, passwords: dict[str, str]) -> Postgres:
        return Postgres(self.layout, self.programs["postgres"], owner, passwords["postgres"], self.testing)

    def _valkey(self, owner: Owner, passwords: dict[str, str]) -> Valkey:
        return Valkey(self.layout, self.programs["valkey"], owner, passwords["valkey"], self.testing)

    def _start_servers(self) -> None:
        for server in self.servers:
            server.start()
        for server in self.servers:
            self._await_ready(server)

    def _await_ready(self, server: Server) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        attempts = 1
        while not server.is_ready():
            if not server.is_running():
                if attempts == _PORT_ATTEMPTS or not self._port_was_taken():
                    raise StartError(f"{server.name} did not start")
                attempts += 1
                server.port = free_port()
                server.start()
            if time.monotonic() > deadline:
                raise StartError(f"{server.name} was not ready after {_READY_SECONDS} s")
            time.sleep(0.01)

    def _port_was_taken(self) -> bool:
        return "address already in use" in "\n".join(last_lines(self.layout.log, 10)).lower()

    def _tell(self) -> None:
        postgres, valkey = self.servers
        Services(
            database_url=postgres.url(),
            redis_url=valkey.url(),
            keeper_pid=os.getpid(),
            postgres_pid=_pid(postgres),
            postgres_port=postgres.port,
            valkey_pid=_pid(valkey),
            valkey_port=valkey.port,
        ).write(self.layout)

    def serve(self) -> None:
        """Keep the servers running until nobody uses them, their folder is gone, or a signal says so."""
        while not (self.told_to_stop or self._is_unused()):
            revived = [server.name for server in self.servers if server.revive(time.monotonic())]
            if revived:
                _say(f"started {', '.join(revived)} again")
                self._tell()
            time.sleep(TICK)

    def _is_unused(self) -> bool:
        return not self.users.is_current() or self.users.try_take()

    def stop(self) -> None:
        """Stop the servers and clear up. The keeper's lock goes first.

        A client gets the users' lock the moment it is free; were the keeper's lock still held then, it would
        take the servers for running.
        """
        for server in reversed(self.servers):
            server.stop()
        self.layout.services.unlink(missing_ok=True)
        if self.testing:
            shutil.rmtree(self.layout.var, ignore_errors=True)
        self.alive.release()
        self.users.release()


def _pid(server: Server) -> int:
    return server.process.pid if server.process else 0


def _passwords(layout: Layout) -> tuple[dict[str, str], bool]:
    """The servers' passwords, and whether they were made just now."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(layout.secret.read_text()), False
    made = {name: secrets.token_urlsafe(24) for name in ("postgres", "valkey")}
    write_private(layout.secret, json.dumps(made) + "\n")
    return made, True


def last_lines(path: Path, count: int) -> list[str]:
    """The end of a text file; nothing when there is none."""
    try:
        return path.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC keeper: {text}\n")
    sys.stderr.flush()


def _run(keeper: Keeper, ready: int) -> int:
    """Start, report one line on the pipe `ready`, serve, stop."""
    try:
        keeper.start()
    except (StartError, PrivilegeError, OSError) as error:
        _say(str(error))
        _report(ready, _sentence(error, keeper.layout))
        return 1
    _report(ready, "ready")
    _say("ready")
    keeper.serve()
    return 0


def _sentence(error: Exception, layout: Layout) -> str:
    """One line for the user's terminal: the error, and what the server itself had said before."""
    if isinstance(error, PrivilegeError):
        return str(error)
    reasons = [
        line.strip() for line in last_lines(layout.log, 12) if "FATAL" in line or "error:" in line.lower()
    ]
    reason = f" ({reasons[-1]})" if reasons else ""
    return f"{error}{reason}. See {layout.log}."


def _report(ready: int, line: str) -> None:
    with contextlib.suppress(OSError):  # the client may have been killed meanwhile
        os.write(ready, line.encode())
    os.close(ready)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a keeper; `--ready` is the descriptor of the pipe on which the starter waits for one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--var", type=Path, required=True)
    parser.add_argument("--postgres", type=Path, required=True)
    parser.add_argument("--valkey", type=Path, required=True)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--testing", action="store_true")
    options = parser.parse_args(arguments)
    os.chdir("/")
    programs = {"postgres": options.postgres, "valkey": options.valkey}
    keeper = Keeper(Layout(options.var), programs, testing=options.testing)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):  # a terminal's end is no reason
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: setattr(keeper, "told_to_stop", True))
    return _hold(keeper, options.ready)


def _hold(keeper: Keeper, ready: int) -> int:
    # Who asks whether the lock is held shares it for an instant.
    if not wait_until(keeper.alive.try_take, seconds=2):
        _report(ready, f"Another keeper holds {keeper.layout.keeper_lock}.")
        return 1
    keeper.alive.write(str(os.getpid()))
    try:
        return _run(keeper, ready)
    finally:
        keeper.stop()


if __name__ == "__main__":
    sys.exit(main())
