"""Every command of ours explains itself."""

from __future__ import annotations

import pytest
from django.core.management import get_commands, load_command_class

from apps.desk.management.commands import up
from config.commands import ExampleCommand

OURS = sorted(name for name, app in get_commands().items() if app.startswith("apps."))


def test_the_projects_commands_are_found() -> None:
    assert {"demo", "issue_credential", "test", "up"} <= set(OURS)


@pytest.mark.parametrize("name", [name for name in OURS if name != "test"])  # whose help is its own
def test_help_ends_with_an_example_that_the_command_understands(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    assert isinstance(command, ExampleCommand)
    parser = command.create_parser("manage.py", name)
    assert parser.format_help().rstrip().endswith(f"example:\n  manage.py {command.example}")
    first, *arguments = command.example.split(" > ")[0].split()
    assert first == name
    parser.parse_args(arguments)


def test_descriptions_keep_their_line_breaks() -> None:
    assert up.Command.help in up.Command().create_parser("manage.py", "up").format_help()
