"""Processes that tests may kill: `python -m tests.readings.children write …`.

They do one thing after another and say on standard output what is done: that must be there afterwards.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
FIELDS = "A B"


def this_database() -> dict[str, str]:
    """The environment of a process that uses the tests' database."""
    own = connection.settings_dict
    password = quote(str(own["PASSWORD"]), safe="")
    address = f"{own['HOST']}:{own['PORT']}/{own['NAME']}"
    return {"DATABASE_URL": f"postgresql://{own['USER']}:{password}@{address}"}


@contextmanager
def child(*arguments: object, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """One of the processes below, killed at the end at the latest."""
    command = [sys.executable, "-m", "tests.readings.children", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
    ) as it:
        try:
            yield it
        finally:
            it.kill()


def said(process: subprocess.Popen[str], lines: int) -> list[int]:
    """The next lines, which are numbers; fewer when the process ends before."""
    assert process.stdout is not None
    return [int(line) for _, line in zip(range(lines), process.stdout, strict=False)]


def killed(process: subprocess.Popen[str]) -> list[int]:
    """Kill it as nothing can be prepared for; returns the complete lines it had said and nobody had read."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    return [int(line) for line in process.stdout if line.endswith("\n")]


def write(source_id: int, first: int) -> Iterator[int]:
    """Append one stamp after another, for ever; what is yielded has been acknowledged."""
    from itertools import count

    from apps.readings import store
    from tests.readings.building import NOW, block, value_of

    for stamp in count(first, 1000):
        rows = [[value_of(field, stamp)] for field in FIELDS.split()]
        store.append([store.Upload(source_id, (block(FIELDS, [stamp], *rows),))], received_at=NOW)
        yield stamp


def compact(source_id: int, day: int) -> Iterator[int]:
    """Compact a source-day again and again."""
    from apps.readings import store

    while True:
        yield int(store.compact(source_id, day))


def compact_and_die(source_id: int, day: int, step: str) -> Iterator[int]:
    """Compact a source-day and be killed just before `step`: write, drop_tail or commit."""
    from apps.readings import days, store

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if step == "commit":
        drop_tail = days.drop_tail
        days.drop_tail = lambda stored: die(drop_tail(stored))
    else:
        setattr(days, step, die)
    store.compact(source_id, day)
    yield 0


def work() -> Iterator[int]:
    """Sweep again and again, all that arrived being due."""
    from datetime import timedelta

    from apps.readings import store
    from tests.readings.building import NOW

    while True:
        yield store.sweep(now=NOW + timedelta(days=9))


def roll_and_die(source_id: int, step: str) -> Iterator[int]:
    """Roll a source up and be killed just before `step`: put_borders, write, or commit."""
    from apps.readings import rolling, rollup_rows

    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if step == "commit":
        run = rolling.run
        rolling.run = lambda query, params: die(run(query, params))
    else:
        setattr(rollup_rows, step, die)
    rolling.roll(source_id)
    yield 0


def compute_and_die(step: str) -> Iterator[int]:
    """Compute the marked days of items and be killed just before `step`: write, record, commit or done."""
    from apps.analytics import keeping
    from apps.readings import days, recompute

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    run = keeping.run
    match step:
        case "write":
            days.write = die
        case "record":
            keeping.run = die
        case "commit":
            keeping.run = lambda query, params: die(run(query, params))
        case "done":
            recompute.run = die
    recompute.run_due(["analytics"], seconds=60)
    yield 0


def make_source() -> Iterator[int]:
    """Create a source; says its id."""
    from apps.houses.models import House
    from apps.readings.models import Source

    yield Source.objects.create(house=House.objects.create(name="house"), name="device").pk


def read(source_id: int, start: int, end: int) -> Iterator[int]:
    """Say the stamps at which all fields hold what `write` sent."""
    from apps.readings.models import Source
    from tests.readings.building import held, truth

    source = Source.objects.get(pk=source_id)
    found = [held(source, field, start, end) for field in FIELDS.split()]
    assert found == [truth(field, found[0]) for field in FIELDS.split()]
    yield from found[0]


CHILDREN = {
    own.__name__: own
    for own in (write, compact, compact_and_die, work, roll_and_die, compute_and_die, make_source, read)
}


def main(name: str, *arguments: str) -> None:
    import django

    django.setup()
    for number in CHILDREN[name](*[int(own) if own.isdigit() else own for own in arguments]):
        print(number, flush=True)  # noqa: T201  what the test reads


if __name__ == "__main__":
    main(*sys.argv[1:])
