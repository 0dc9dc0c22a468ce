"""Measure this installation's software on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.desk.bench import acquisuite, analytics, pages, results, store
from apps.desk.bench.results import BenchError, Row
from config.commands import ExampleCommand

BENCHES: dict[str, tuple[Any, Callable[..., list[Row]]]] = {
    "store": (store.Size, store.run),
    "analytics": (analytics.Size, analytics.run),
    "acquisuite": (acquisuite.Size, acquisuite.run),
    "pages": (pages.Size, pages.run),
}
SIZES = ("days", "rounds", "uploads", "loggers", "devices", "pace", "viewers", "asks")


class Command(ExampleCommand):
    help = "Measure bytes and times beside those of other ways to do the same. Real data is not touched."
    example = "bench store --json results.json"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="*", help=f"which: {', '.join(BENCHES)} (all)")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
        parser.add_argument("--days", type=int, help="of data (store: 30, analytics: 90, pages: 62)")
        parser.add_argument("--rounds", type=int, help="of each (store: 7, analytics: 3, pages: 5)")
        parser.add_argument("--uploads", type=int, help="in a round of the store (300)")
        parser.add_argument("--loggers", type=int, help="that upload a day (acquisuite: 200)")
        parser.add_argument(
            "--devices", type=int, help="of each logger (acquisuite: 10), in lists (pages: 2000)"
        )
        parser.add_argument("--pace", type=int, help="files that loggers upload in a second (acquisuite: 2)")
        parser.add_argument("--viewers", type=int, help="who ask at the same time (pages: 8)")
        parser.add_argument("--asks", type=int, help="of each viewer in a round (pages: 10)")

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["name"] or list(BENCHES)
        if unknown := sorted(set(names) - BENCHES.keys()):
            raise CommandError(f"There is no bench {unknown[0]!r}; there are: {', '.join(BENCHES)}.")
        given = {name: options[name] for name in SIZES if options[name] is not None}
        if any(number < 1 for number in given.values()):
            raise CommandError("Sizes, such as days and loggers, are at least 1.")
        try:
            rows = [row for name in names for row in _run(name, given)]
        except BenchError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(results.table(rows))
        if options["json"]:
            results.write(options["json"], rows)


def _run(name: str, given: dict[str, int]) -> list[Row]:
    size, run = BENCHES[name]
    own = {field.name: given[field.name] for field in fields(size) if field.name in given}
    return run(size(**own), now=timezone.now())
