"""The embedded PostgreSQL: a wheel's binaries, a cluster of our own, an application role without powers."""

import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from config.embedded import CLEAN_ENVIRONMENT, Server, StartError, stop_stranger

MAJOR = "18"
ROLE = DATABASE = "wattdesk"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 characters, a project folder more
    "max_connections": "60",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "log_checkpoints": "off",
}
# synchronous_commit stays on: else a killed server would lose acknowledged commits, also in tests.
_TEST_SETTINGS = {"fsync": "off", "full_page_writes": "off"}
_COLLATION = ["-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


class Postgres(Server):
    """PostgreSQL on loopback TCP. `binary` is the `postgres` program; `initdb` lies beside it."""

    name = "postgres"
    stop_signal = signal.SIGINT  # SIGTERM would wait for the clients
    escalation = ((20.0, signal.SIGQUIT), (5.0, signal.SIGKILL))

    def folder(self) -> Path:
        return self.layout.postgres

    def url(self) -> str:
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def command(self) -> list[str]:
        settings = _SETTINGS | (_TEST_SETTINGS if self.testing else {}) | {"port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.binary), "-D", str(self.folder()), *options]

    def is_ready(self) -> bool:
        """Its pid file says ready in line 8, and is our child's (line 1), not one that a dead server left."""
        lines = self._pid_file()
        return (
            self.process is not None
            and len(lines) >= 8
            and lines[0].strip() == str(self.process.pid)
            and lines[7].strip() == "ready"
        )

    def prepare(self) -> None:
        if not self.folder().exists():
            self._make_cluster()
        version = (self.folder() / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise StartError(
                f"{self.folder()} was made by PostgreSQL {version}; this Wattdesk carries {MAJOR}. "
                "Dump the data with the old version first, or set DATABASE_URL."
            )

    def clear_leftover(self) -> None:
        """PostgreSQL takes any process of its user that the pid file names for a server; we look closer."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdigit():
            return
        stop_stranger(int(lines[0]), f"-D {self.folder()} ", self.stop_signal, self.escalation)
        (self.folder() / "postmaster.pid").unlink(missing_ok=True)

    def adopt_password(self) -> None:
        """Give the role the password we have now; for when the file that held the old one was lost."""
        self._single_user(self.folder(), f"ALTER ROLE {ROLE} PASSWORD '{self.password}';\n")

    def _pid_file(self) -> list[str]:
        try:
            return (self.folder() / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _make_cluster(self) -> None:
        """Everything happens beside the final name, so that a cluster is there whole or not at all."""
        new = self.layout.postgres_new
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self.owner.give(new)
        self._initdb(new)
        self._single_user(
            new,
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self.password}';\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n",
        )
        new.rename(self.folder())

    def _initdb(self, folder: Path) -> None:
        # initdb wants a real file. Nobody ever needs this password again: the application's role is another.
        password_file = self.layout.var / "postgres.password"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24))
        self.owner.give(password_file)
        try:
            identity = ["-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password_file)]
            initdb = self.binary.with_name("initdb")
            self._run([initdb, "-D", folder, *identity, *_COLLATION, "--no-instructions"], folder)
        finally:
            password_file.unlink(missing_ok=True)

    def _single_user(self, folder: Path, statements: str) -> None:
        """Run SQL as the superuser without opening a port or needing a database driver."""
        command: list[str | Path] = [
            self.binary,
            "--single",
            "-D",
            folder,
            "-c",
            "exit_on_error=on",
            "postgres",
        ]
        self._run(command, folder, statements)

    def _run(self, command: list[str | Path], folder: Path, text: str = "") -> None:
        done = subprocess.run(
            command,
            input=text.encode(),
            cwd=folder,
            env=CLEAN_ENVIRONMENT,
            preexec_fn=self.owner.prepare_child(signal.SIGKILL),
        )
        if done.returncode != 0:
            raise StartError(f"{Path(command[0]).name} failed with status {done.returncode}")
