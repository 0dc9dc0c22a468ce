"""Add a logger to a house."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.houses.models import House
from apps.meters.loggers import add_logger
from config.commands import ExampleCommand


class Command(ExampleCommand):
    help = "Add a logger to a house and print its password, the only time it can be seen."
    example = "add_logger --house mill --serial 001EC6001234"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--house", required=True, metavar="H", help="the name of the house")
        parser.add_argument(
            "--serial", required=True, metavar="S", help="the serial number on the logger's label"
        )
        parser.add_argument("--label", default="", metavar="L", help="what people call it")

    def handle(self, *args: Any, **options: Any) -> None:
        house = House.objects.filter(name=options["house"]).first()
        if house is None:
            raise CommandError(f"There is no house named “{options['house']}”.")
        try:
            _, password = add_logger(
                house=house, serial=options["serial"], label=options["label"], now=timezone.now()
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(password)
