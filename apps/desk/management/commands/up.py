"""Run Wattdesk: web, worker and beat."""

import sys
from typing import Any

from django.core.management import CommandParser

from apps.desk.running import serve
from config.commands import ExampleCommand


class Command(ExampleCommand):
    help = """Run the web server, one worker and one beat until Ctrl-C.

PostgreSQL and valkey are started in var/ where DATABASE_URL and REDIS_URL are unset."""
    example = "up --port 8001"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web server (8000)")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")

    def handle(self, *args: Any, port: int, host: str, **options: Any) -> None:
        sys.exit(serve(port=port, host=host))
