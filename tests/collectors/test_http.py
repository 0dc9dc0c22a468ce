import gzip
from pathlib import Path

import pytest
import requests
from pytest_httpserver import HTTPServer

from collectors.agent.bundle import Bundle
from collectors.agent.client import Client
from collectors.drivers.transport import get, local_session
from collectors.http import NetworkError, exchange


def ask(server: HTTPServer, path: str, *, limit: int = 1000) -> bytes:
    request = requests.Request("GET", server.url_for(path))
    return exchange(requests.Session(), request, timeout=5, patience=5, limit=limit).body


def test_a_body_is_whole_up_to_its_limit(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data(b"x" * 1000)
    assert len(ask(httpserver, "/a")) == 1000
    with pytest.raises(NetworkError, match="longer than 999 bytes"):
        ask(httpserver, "/a", limit=999)


def test_an_inflating_body_is_bounded_by_what_it_becomes(httpserver: HTTPServer) -> None:
    bomb = gzip.compress(b"x" * 10_000_000)
    httpserver.expect_request("/a").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(NetworkError, match="longer than"):
        ask(httpserver, "/a", limit=1_000_000)


def test_a_redirect_is_an_answer_and_not_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data("", 302, {"Location": httpserver.url_for("/b")})
    request = requests.Request("GET", httpserver.url_for("/a"))
    answer = exchange(requests.Session(), request, timeout=5, patience=5, limit=9)
    assert answer.status == 302
    assert len(httpserver.log) == 1


def test_an_https_address_that_speaks_plain_http_is_told_as_such(httpserver: HTTPServer) -> None:
    request = requests.Request("GET", httpserver.url_for("/").replace("http:", "https:"))
    with pytest.raises(NetworkError, match="TLS"):
        exchange(requests.Session(), request, timeout=5, patience=5, limit=9)


@pytest.fixture
def foreign_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's stored password for every host."""
    (tmp_path / "netrc").write_text("default login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.usefixtures("foreign_netrc")
def test_devices_get_neither_stored_passwords_nor_a_proxy(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    httpserver.expect_request("/a").respond_with_data("here")
    assert get(local_session(), httpserver.url_for("/a"), timeout=5) == b"here"
    assert "Authorization" not in httpserver.log[0][0].headers


@pytest.mark.usefixtures("foreign_netrc")
def test_the_server_gets_the_key_and_nothing_else(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/edge/config/").respond_with_json({})
    client = Client(Bundle(house="demo", url=httpserver.url_for("/"), key="k3y"))
    assert client.config(etag=None).status == 200
    assert httpserver.log[0][0].headers["Authorization"] == "Bearer k3y"
