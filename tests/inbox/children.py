"""Processes that tests may kill: `python -m tests.inbox.children receive_and_die …`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.readings.children import ROOT, this_database


def run(*arguments: object) -> subprocess.Popen[bytes]:
    """Start one of the processes below on the tests' database."""
    command = [sys.executable, "-m", "tests.inbox.children", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **this_database()})


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def receive(times: str, text: str) -> None:
    """Take the same bytes in, one time after another."""
    from django.utils import timezone

    from apps.inbox import arrivals

    for _ in range(int(times)):
        arrivals.receive(
            kind="test.lines",
            origin=f"process {os.getpid()}",
            metadata={},
            body=text.encode(),
            received_at=timezone.now(),
        )


def receive_and_die(when: str, text: str) -> None:
    """Take something in and be killed just before the commit, or just after it."""
    from apps.inbox import arrivals
    from config import hints

    if when == "before":
        arrivals.send_soon = die
    hints._sender.send = die  # type: ignore[method-assign]
    receive("1", text)


def parse(receipt_id: str) -> None:
    """Parse a receipt, which may order us to die."""
    from apps.inbox import parsing
    from tests.inbox import lines

    assert lines.KIND
    parsing.parse(int(receipt_id))


CHILDREN = {own.__name__: own for own in (receive, receive_and_die, parse)}


def main(name: str, *arguments: str) -> None:
    import django

    django.setup()
    CHILDREN[name](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
