"""A person's browser: the machine's Chromium, logged in, and what it complains about."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from tests import environment
from tests.people import log_in

OpenAs = Callable[[User, str], Page]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use the machine's Chromium; it has no sandbox for root."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": environment.chromium(), "args": sandbox}


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser wrote to its console; violations of the policy are among it."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


@pytest.fixture
def open_as(page: Page, live_server: LiveServer, complaints: list[str]) -> OpenAs:
    """A function that opens a page of the live server as somebody logged in: `open_as(bob, "/")`."""

    def opened(user: User, path: str) -> Page:
        session = log_in(user).cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page.goto(f"{live_server.url}{path}")
        return page

    return opened
