#!/usr/bin/env python3
"""Wattdesk's one command. A fresh clone needs Python 3.11 or newer and nothing else."""

import os
import sys

from config import bootstrap


def main() -> None:
    """Enter an environment that has our packages, provide the servers, then hand over to Django."""
    bootstrap.enter(sys.argv)
    from config import launch

    launch.run(sys.argv, os.environ)


if __name__ == "__main__":
    main()
