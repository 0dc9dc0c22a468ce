import gc
import re
import threading
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Response

from collectors.drivers import DeviceError
from collectors.drivers.transport import CLOUD, Cloud, _turns, get, json_of, local_session, turn


class TestTurns:
    def test_two_threads_never_have_requests_at_a_device_at_once(self, httpserver: HTTPServer) -> None:
        at_once: list[int] = []
        inside = threading.Semaphore(8)

        def slowly(_: Any) -> Response:
            inside.acquire()
            at_once.append(8 - inside._value)
            threading.Event().wait(0.03)
            inside.release()
            return Response("ok")

        httpserver.expect_request("/").respond_with_handler(slowly)
        url = httpserver.url_for("/")
        ask = [
            threading.Thread(target=get, args=[local_session(), url], kwargs={"timeout": 2}) for _ in range(4)
        ]
        for thread in ask:
            thread.start()
        for thread in ask:
            thread.join()
        assert at_once == [1, 1, 1, 1]

    def test_a_thread_may_take_its_own_turn_again(self) -> None:
        with turn("meter"), turn("meter"):
            pass

    def test_other_devices_do_not_wait(self) -> None:
        with turn("meter"):
            other = threading.Thread(target=turn("battery").__enter__)
            other.start()
            other.join(1)
            assert not other.is_alive()

    def test_turns_of_devices_that_are_gone_are_forgotten(self) -> None:
        with turn("gone"):
            assert "gone" in _turns
        gc.collect()
        assert "gone" not in _turns


class TestCloud:
    @pytest.fixture
    def now(self) -> list[float]:
        return [1_000.0]

    def status(self, cloud: Cloud, url: str) -> int:
        return cloud.ask(requests.Request("GET", url)).status

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [("5", 5), ("0", 1), ("99999", 3_600), ("Wed, 21 Oct 2026", 60), ("", 60)],
    )
    def test_a_pause_is_kept_as_long_as_asked_within_reason(
        self, httpserver: HTTPServer, now: list[float], header: str, seconds: int
    ) -> None:
        httpserver.expect_request("/").respond_with_response(Response("", 429, {"Retry-After": header}))
        cloud, url = Cloud(timeout=1, monotonic=lambda: now[0]), httpserver.url_for("/")
        assert self.status(cloud, url) == 429
        now[0] += seconds - 0.1
        with pytest.raises(DeviceError, match="pause"):
            self.status(cloud, url)
        now[0] += 0.2
        assert self.status(cloud, url) == 429
        assert len(httpserver.log) == 2

    def test_a_server_error_without_a_wish_is_no_pause(
        self, httpserver: HTTPServer, now: list[float]
    ) -> None:
        httpserver.expect_request("/").respond_with_response(Response("", 503))
        cloud, url = Cloud(timeout=1, monotonic=lambda: now[0]), httpserver.url_for("/")
        assert [self.status(cloud, url) for _ in range(3)] == [503, 503, 503]


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("https://core.example", True),
        ("https://core.example:8443/api/v2", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost/x", True),
        ("http://[::1]:1", True),
        ("http://core.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost@evil.example", False),
        ("https://a@b.example", False),
        ("https://b.example/", False),
        ("https://b.example/x?y", False),
        ("ftp://b.example", False),
        ("", False),
    ],
)
def test_a_server_is_reached_by_tls_or_on_this_machine(address: str, fits: bool) -> None:
    assert bool(re.search(CLOUD, address)) == fits


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    with pytest.raises(DeviceError, match="JSON"):
        json_of(body)


def test_json_of_another_shape_is_an_error() -> None:
    with pytest.raises(DeviceError, match="JSON"):
        json_of(b"[1]", dict[str, Any])
