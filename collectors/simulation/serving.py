"""What simulators share: a real HTTP server on loopback, for as long as a ``with`` block."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Found = tuple[str, bytes] | None
"""An answer as (content type, body); None where there is nothing at the address."""


class RefusedError(Exception):
    """Raised by a simulator to answer with a status of 4xx, and in words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class HttpSimulator(ABC):
    """A device with an HTTP interface. ``with`` it, it answers; a port of 0 takes any free one."""

    def __init__(self, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return self._server.server_port

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The configuration with which the kind's driver reads this device."""

    @abstractmethod
    def get(self, request: BaseHTTPRequestHandler) -> Found:
        """Answer a GET. Raises RefusedError."""

    def post(self, request: BaseHTTPRequestHandler, body: bytes) -> Found:
        """Answer a POST. Raises RefusedError."""
        raise RefusedError(405, "This device takes no POST.")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(simulator) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - inside, self is the request
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(lambda: simulator.get(self))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._answer(lambda: simulator.post(self, body))

            def _answer(self, found: Callable[[], Found]) -> None:
                try:
                    status, (content_type, body) = 200, found() or _nothing()
                except RefusedError as refusal:
                    status, content_type, body = refusal.status, "text/plain", refusal.text.encode()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Stay silent: a meter polled every few seconds would fill the terminal."""

        return Handler


def _nothing() -> tuple[str, bytes]:
    raise RefusedError(404, "not found\n")


def json_answer(content: Any) -> Found:
    """An answer in JSON."""
    return "application/json", json.dumps(content).encode()
