"""Measure this installation's software on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.desk.bench import results, store
from apps.desk.bench.results import BenchError
from config.commands import ExampleCommand

BENCHES = {"store": store.run}


class Command(ExampleCommand):
    help = "Measure bytes and times beside those of other ways to do the same. Real data is not touched."
    example = "bench store --json results.json"

    def add_arguments(self, parser: CommandParser) -> None:
        size = store.Size()
        parser.add_argument("name", nargs="*", help=f"which: {', '.join(BENCHES)} (all)")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
        parser.add_argument("--days", type=int, default=size.days, help=f"of data ({size.days})")
        parser.add_argument("--rounds", type=int, default=size.rounds, help=f"of each ({size.rounds})")
        parser.add_argument("--uploads", type=int, default=size.uploads, help=f"in a round ({size.uploads})")

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["name"] or list(BENCHES)
        if unknown := sorted(set(names) - BENCHES.keys()):
            raise CommandError(f"There is no bench {unknown[0]!r}; there are: {', '.join(BENCHES)}.")
        size = store.Size(**{name: options[name] for name in ("days", "rounds", "uploads")})
        if min(size.days, size.rounds, size.uploads) < 1:
            raise CommandError("Days, rounds and uploads are at least 1.")
        try:
            rows = [row for name in names for row in BENCHES[name](size, now=timezone.now())]
        except BenchError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(results.table(rows))
        if options["json"]:
            results.write(options["json"], rows)
