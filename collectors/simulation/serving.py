"""What simulators share: a real HTTP server on loopback, for as long as a ``with`` block."""

import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


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
    def get(self, request: BaseHTTPRequestHandler) -> tuple[str, bytes] | None:
        """Answer a GET with (content type, body), or None where there is nothing."""

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
                found = simulator.get(self)
                content_type, body = found or ("text/plain", b"not found\n")
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Stay silent: a meter polled every few seconds would fill the terminal."""

        return Handler
