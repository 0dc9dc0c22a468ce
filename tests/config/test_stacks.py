"""Which middleware a request passes, asked through the very application that gunicorn serves."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.test.client import RequestFactory
from pytest_django import Settings

from config.stacks import Application, is_for_machines
from config.wsgi import application

pytestmark = pytest.mark.django_db

EDGE, LOG_IN = "/api/v1/edge/readings/", "/accounts/login/"


def ask(
    path: str, method: str = "GET", host: str = "127.0.0.1", served_by: Application = application
) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body of the answer."""
    heard: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        heard.update(status=status, headers=dict(headers))

    environ = RequestFactory(SERVER_NAME=host)._base_environ(PATH_INFO=path, REQUEST_METHOD=method)
    body = b"".join(served_by(environ, start))
    return heard["status"], heard["headers"], body


def test_a_page_comes_with_what_protects_browsers() -> None:
    status, headers, _ = ask(LOG_IN)
    assert status == "200 OK"
    assert {"Content-Security-Policy", "X-Frame-Options", "Set-Cookie"} <= headers.keys()


def test_a_machine_gets_its_answer_alone() -> None:
    status, headers, body = ask(EDGE, "POST")
    assert status == "401 Unauthorized"
    assert b'"code":"unauthorized"' in body
    assert not {"Content-Security-Policy", "X-Frame-Options", "Set-Cookie"} & headers.keys()
    assert headers["Content-Length"] == str(len(body))
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [EDGE, LOG_IN])
def test_a_foreign_host_is_refused_to_everybody(path: str) -> None:
    assert ask(path, host="evil.example")[0] == "400 Bad Request"


def test_plain_http_is_sent_on_to_https_for_machines_too(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True  # as it is read when the stack is built
    status, headers, _ = ask(EDGE, served_by=Application())
    assert (status, headers["Location"]) == ("301 Moved Permanently", f"https://127.0.0.1{EDGE}")


def test_an_unknown_address_of_the_edge_api_is_a_404_in_json() -> None:
    status, _, body = ask("/api/v1/edge/nothing/")
    assert status == "404 Not Found"
    assert b'"code": "not_found"' in body


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (EDGE, True),
        ("/api/v1/edge/config/", True),
        ("/api/v1/loggers/acquisuite", True),
        ("/api/v1/houses/", False),
        ("/admin/api/v1/edge/", False),
        ("/api/v1/edgeways/", False),
    ],
)
def test_the_path_alone_decides(path: str, expected: bool) -> None:
    assert is_for_machines(RequestFactory().get(path)) is expected


def test_the_tests_own_client_passes_the_same_stacks() -> None:
    answer = Client().post(EDGE)
    assert answer.status_code == 401
    assert "X-Frame-Options" not in answer
    assert "X-Frame-Options" in Client().get(LOG_IN)
