"""The embedded valkey: the broker and the cache, with an append-only file so that queued work survives."""

import contextlib
import json
import signal
import socket
from pathlib import Path

from config.embedded import Server, stop_stranger


class Valkey(Server):
    """valkey on loopback TCP. `binary` is the `valkey-server` program."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    escalation = ((10.0, signal.SIGKILL),)

    def folder(self) -> Path:
        return self.layout.valkey

    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        self.folder().mkdir(mode=0o700, exist_ok=True)
        self.owner.give(self.folder())

    def command(self) -> list[str]:
        return [str(self.binary), "-"]

    def configuration(self) -> bytes:
        """By standard input, as a password on the command line shows in every process list."""
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            "dir .",
            f"requirepass {self.password}",
            "maxmemory-policy noeviction",  # a queue that forgets is worse than one that refuses
            "appendonly yes",
            'save ""',
        ]
        return "\n".join(lines).encode() + b"\n"

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                return _answers(connection)
        except OSError:
            return False

    def clear_leftover(self) -> None:
        """The last keeper's notes name the process; its title carries the port it listens on."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            notes = json.loads(self.layout.services.read_text())
            mark = f"valkey-server 127.0.0.1:{notes['valkey_port']}"
            if not self.is_running():
                stop_stranger(notes["valkey_pid"], mark, self.stop_signal, self.escalation)


def _answers(connection: socket.socket) -> bool:
    """Whether the log-in and the ping were both answered; anything else means still loading."""
    received = b""
    while received.count(b"\r\n") < 2:
        part = connection.recv(256)
        if not part:
            return False
        received += part
    return received == b"+OK\r\n+PONG\r\n"
