"""Check the code and run the tests, or just the tests that are named."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand
from django.core.management.base import CommandError

HELP = """usage: manage.py test [pytest arguments]

Without arguments: ruff, mypy, the layers of imports, missing migrations, and the whole suite.
With arguments: only pytest, with these. Either way on servers of its own.

example:
  manage.py test tests/readings -k rollup -x"""


@dataclass(frozen=True)
class Check:
    """A quality check: what it is called and what runs it, given to this interpreter."""

    name: str
    argv: Sequence[str]


LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
CHECKS = (
    Check("ruff check", ("-m", "ruff", "check", ".")),
    Check("ruff format", ("-m", "ruff", "format", "--check", ".")),
    Check("mypy", ("-m", "mypy")),
    Check("import layers", ("-c", LINT_IMPORTS)),
    Check("migrations", ("manage.py", "makemigrations", "--check", "--dry-run")),
)


class Command(BaseCommand):
    help = "Check the code and run the tests; what follows is pytest's."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Take the arguments as they are: they are pytest's, and Django's parser would refuse them."""
        if {"-h", "--help"} & set(argv[2:]):
            self.stdout.write(HELP)
            return
        sys.exit(run(argv[2:], self.stdout.write))

    def handle(self, *args: Any, **options: Any) -> None:
        """By `call_command`: the whole run."""
        if run([], self.stdout.write):
            raise CommandError("Something failed.")


def run(arguments: Sequence[str], say: Callable[[str], object]) -> int:
    """Run everything, or pytest alone with `arguments`; returns an exit status, 0 when all is well.

    pytest comes last, so that its summary is the last line.
    """
    if importlib.util.find_spec("pytest") is None:
        say("The development packages are missing; run this through manage.py, or install them.")
        return 1
    if arguments:
        return pytest(arguments)
    failed = [check.name for check in CHECKS if not passes(check, say)]
    if failed:
        say(f"FAILED before the tests: {', '.join(failed)}")
    return pytest(["-n", str(min(os.cpu_count() or 1, 4))]) or bool(failed)


def passes(check: Check, say: Callable[[str], object]) -> bool:
    """Run one check, say in one line how it went, and show its output when it failed."""
    started = time.monotonic()
    done = python(check.argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    say(f"{check.name:<14} {verdict:<6} {time.monotonic() - started:5.1f} s")
    if done.returncode != 0:
        say(done.stdout.decode(errors="replace").rstrip())
    return done.returncode == 0


def pytest(arguments: Sequence[str]) -> int:
    return python(["-m", "pytest", "-o", f"cache_dir={cache()}/pytest", *arguments]).returncode


def python(argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run this interpreter in the project's folder, with the tools' caches below `var`."""
    environment = {
        **os.environ,
        "RUFF_CACHE_DIR": f"{cache()}/ruff",
        "MYPY_CACHE_DIR": f"{cache()}/mypy",
        "HYPOTHESIS_STORAGE_DIRECTORY": f"{cache()}/hypothesis",
    }
    return subprocess.run(
        [sys.executable, *argv], cwd=settings.BASE_DIR, env=environment, check=False, **options
    )


def cache() -> Path:
    """Kept from run to run, unlike the folder of this one."""
    return Path(settings.BASE_DIR) / "var" / "cache"
