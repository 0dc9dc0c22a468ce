"""What the project's management commands have in common."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser, DjangoHelpFormatter


class _Formatter(RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Keeps the line breaks of descriptions and examples."""


class ExampleCommand(BaseCommand):
    """A command whose `--help` ends with an example: what follows `manage.py` on the command line."""

    example: str

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        epilog = f"example:\n  manage.py {self.example}"
        return super().create_parser(
            prog_name, subcommand, formatter_class=_Formatter, epilog=epilog, **kwargs
        )
