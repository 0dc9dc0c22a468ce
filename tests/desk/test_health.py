"""`/health/`, with real parts that are really down."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.db import connection
from django.http import JsonResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from apps.desk.health import health

pytestmark = pytest.mark.django_db


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port where connections are taken and nothing is ever said."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


def asked(rf: RequestFactory) -> tuple[int, dict[str, Any]]:
    response = health(rf.get("/health/"))
    assert isinstance(response, JsonResponse)
    return response.status_code, json.loads(response.content)


def test_all_is_well(rf: RequestFactory) -> None:
    status, body = asked(rf)
    assert status == HTTPStatus.OK
    assert body["status"] == "ok"
    assert list(body["components"]) == ["database", "redis", "worker", "jobs", "beat"]
    assert body["components"]["database"] == body["components"]["redis"] == "ok"


def test_it_is_public(client: Client) -> None:
    assert client.get("/health/").status_code == HTTPStatus.OK


def test_redis_that_is_gone_is_told_without_its_address(
    rf: RequestFactory, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://:s3cret@127.0.0.1:1/0"
    with caplog.at_level(logging.WARNING):
        status, body = asked(rf)
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    unknown = dict.fromkeys(("worker", "jobs", "beat"), "unknown")
    components = {"database": "ok", "redis": "down", **unknown}
    assert body == {"status": "down", "components": components}
    assert "redis is down" in caplog.text
    assert "s3cret" not in caplog.text


def test_redis_that_hangs_is_given_up_within_two_seconds(
    rf: RequestFactory, settings: Settings, deaf_port: int
) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{deaf_port}/0"
    started = time.monotonic()
    assert asked(rf)[0] == HTTPStatus.SERVICE_UNAVAILABLE
    assert time.monotonic() - started < 2


def test_a_database_that_is_gone_is_told(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", 1)
    status, body = asked(rf)
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert body["components"]["database"] == "down"
    assert body["components"]["redis"] == "ok"
    assert str(connection.settings_dict["PASSWORD"]) not in caplog.text


def test_a_database_that_hangs_is_given_up(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch, deaf_port: int
) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", deaf_port)
    started = time.monotonic()
    assert asked(rf)[1]["components"]["database"] == "down"
    assert time.monotonic() - started < 4


def test_no_cache_keeps_it_and_nobody_writes_to_it(rf: RequestFactory) -> None:
    assert "no-store" in health(rf.get("/health/"))["Cache-Control"]
    assert health(rf.post("/health/")).status_code == HTTPStatus.METHOD_NOT_ALLOWED
