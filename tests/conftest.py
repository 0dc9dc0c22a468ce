"""Servers and Django for every test, and the fixtures that all areas share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings

from config.servers import Lease
from tests import environment

environment.prepare()  # before anything imports a model

pytest_plugins = ["tests.people", "tests.browser"]  # the second imports the first


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    environment.skip_browser_tests(items)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    missed = sum(environment.NO_CHROMIUM in reason for reason in skipped)
    if missed:
        terminalreporter.write_line(f"{environment.NO_CHROMIUM}, so {missed} browser tests did not run.")


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[Callable[[], Lease]]:
    """A factory of servers that the test may kill: `lease = own_servers(); lease.services().postgres_pid`."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(environment.own_servers(tmp_path / "var"))


@pytest.fixture
def schedules(db: None) -> None:
    """The scheduled tasks as the migrations made them: tests that commit have emptied the tables by now."""
    for path in sorted(Path(settings.BASE_DIR).glob("apps/*/migrations/0*.py")):
        if "PeriodicTask" in path.read_text():
            app = path.parent.parent.name
            import_module(f"apps.{app}.migrations.{path.stem}").add(apps, None)
