"""Print a new credential bundle for a house."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.houses import credentials
from apps.houses.models import House
from config.commands import ExampleCommand


class Command(ExampleCommand):
    help = "Add a credential to a house and print its bundle, the only time it can be seen."
    example = "issue_credential --house mill > mill.json"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--house", required=True, metavar="H", help="the name of the house")

    def handle(self, *args: Any, **options: Any) -> None:
        bundle = credentials.issue(house=_house(options["house"]))
        self.stdout.write(json.dumps(bundle.as_dict(), indent=2))


def _house(name: str) -> House:
    try:
        return House.objects.get(name=name)
    except House.DoesNotExist:
        raise CommandError(f"There is no house named “{name}”.") from None
