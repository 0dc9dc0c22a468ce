"""What a test run needs before Django reads its settings: servers of its own and a folder of its own."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from config import launch, servers

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_CHROMIUM = "Chromium is not installed"


def prepare() -> None:
    """Start the servers unless the environment names some, and only then let Django read its settings.

    A pytest-xdist worker inherits all of this from the process that started it.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ and "WATTDESK_VAR" not in os.environ:
        var = launch.test_folder(launch.ROOT / "var")
        os.environ["WATTDESK_VAR"] = str(var)
        servers.ensure(var, testing=True)
        if servers.held() is None:  # no keeper of ours that would clear up
            atexit.register(shutil.rmtree, var, ignore_errors=True)
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["REDIS_URL"] = own_redis_url(0)
    (Path(os.environ["WATTDESK_VAR"]) / "static").mkdir(parents=True, exist_ok=True)  # for whitenoise
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # the browser's driver runs a loop in the tests' thread
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    _serve_as_gunicorn_would()


def _serve_as_gunicorn_would() -> None:
    """Let Django's test client send each request through the stack of middleware it has in production."""
    from django.test import client

    from config.stacks import TwoStacks

    class Handler(TwoStacks, client.ClientHandler):
        pass

    client.ClientHandler = Handler  # type: ignore[misc]


def own_redis_url(number: int) -> str:
    """The URL of one of three databases of Redis that no other process of this run uses: number 0, 1 or 2.

    Processes of pytest-xdist share a server; queues and signs of life must not be each other's.
    """
    worker = int((os.environ.get("PYTEST_XDIST_WORKER") or "gw-1").removeprefix("gw")) + 1
    return urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{3 * worker % 15 + number}").geturl()


@contextmanager
def own_servers(var: Path) -> Iterator[servers.Lease]:
    """Servers that only one test uses, so that it may kill them; gone with all their files afterwards."""
    lease = servers.borrow(var, testing=True)
    try:
        yield lease
    finally:
        lease.release_and_wait()


def chromium() -> str | None:
    """The path of the machine's Chromium, if it has one."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def skip_browser_tests(items: list[pytest.Item]) -> None:
    """Skip the tests marked `browser` where there is no browser."""
    if chromium() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))
