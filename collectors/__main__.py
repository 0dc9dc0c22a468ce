"""``python -m collectors``: the edge agent, the simulators and a check of drivers."""

import argparse
import sys
from collections.abc import Sequence

from collectors import __version__
from collectors.agent import cli as agent
from collectors.check import cli as check
from collectors.simulation import cli as simulate

COMMANDS = {"agent": agent, "simulate": simulate, "check": check}


def build_parser() -> argparse.ArgumentParser:
    """The command line with all its commands."""
    parser = argparse.ArgumentParser(
        prog="python -m collectors",
        description="Read the devices of a house, or stand in for them.",
        epilog=f"example: {agent.EXAMPLE}",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP.capitalize() + ".",
            epilog=f"example: {module.EXAMPLE}",
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 1 with a sentence on stderr when it could not."""
    options = build_parser().parse_args(arguments)
    if complaint := options.run(options):
        sys.stderr.write(f"{complaint}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
