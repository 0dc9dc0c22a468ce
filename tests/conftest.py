"""Servers and Django for every test, and the fixtures that all areas share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db.models.signals import post_migrate
from pytest_django import DjangoDbBlocker

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


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Keep the rows of data migrations over tests that commit, which empty all tables when they end.

    What Django itself fills again after that is left to it.
    """
    own = [model for model in apps.get_models() if model._meta.app_label not in {"auth", "contenttypes"}]
    with django_db_blocker.unblock():
        migrated = {model: rows for model in own if (rows := list(model._base_manager.all()))}

    def restore(**_: object) -> None:
        for model, rows in migrated.items():
            if not model._base_manager.exists():
                model._base_manager.bulk_create(rows)

    # Sent once for each app that has models, whenever all tables were emptied.
    post_migrate.connect(restore, sender=apps.get_app_config("houses"), weak=False)
