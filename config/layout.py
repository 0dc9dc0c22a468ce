"""Where everything of the embedded servers lies below `var/`."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The paths below one `var` folder (or a test run's folder, which looks the same)."""

    var: Path

    @property
    def run(self) -> Path:
        return self.var / "run"

    @property
    def users_lock(self) -> Path:
        """Shared by every process that uses the servers."""
        return self.run / "users.lock"

    @property
    def start_lock(self) -> Path:
        """Held while one process looks for the servers or starts them."""
        return self.run / "start.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by the living keeper: the only proof of its life."""
        return self.run / "keeper.lock"

    @property
    def up_lock(self) -> Path:
        """Held by the one `up`; says its pid and port."""
        return self.run / "up.lock"

    @property
    def services(self) -> Path:
        """URLs, ports and pids, written by the keeper; 0600."""
        return self.run / "services.json"

    @property
    def secret(self) -> Path:
        """The servers' passwords; 0600."""
        return self.var / "services.secret"

    @property
    def postgres(self) -> Path:
        return self.var / "postgres"

    @property
    def postgres_new(self) -> Path:
        """A cluster being made; always safe to delete."""
        return self.var / "postgres.new"

    @property
    def valkey(self) -> Path:
        return self.var / "valkey"

    @property
    def log(self) -> Path:
        """Keeper, initdb, PostgreSQL and valkey together: one place for the reason of a failure."""
        return self.var / "log" / "services.log"

    def make(self) -> None:
        """Make the folders. `var` is 0711 so that the servers' own user can pass through it."""
        self.var.mkdir(parents=True, exist_ok=True)
        if self.var.stat().st_uid == os.geteuid():
            self.var.chmod(0o711)
        self.run.mkdir(mode=0o700, exist_ok=True)
        self.log.parent.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    new.replace(path)
