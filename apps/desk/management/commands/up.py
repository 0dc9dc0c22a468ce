"""Run Wattdesk: web, worker and beat."""

import sys
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management import BaseCommand, CommandParser

from apps.desk.running import serve


class Command(BaseCommand):
    help = """Run the web server, one worker and one beat until Ctrl-C.

PostgreSQL and valkey are started in var/ where DATABASE_URL and REDIS_URL are unset.

example:
  manage.py up --port 8001"""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web server (8000)")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")

    def handle(self, *args: Any, port: int, host: str, **options: Any) -> None:
        sys.exit(serve(port=port, host=host))
