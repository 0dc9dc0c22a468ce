"""A proxy in front of a simulated device that spoils its answers as a fault demands."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ELSEWHERE = "/elsewhere"


@dataclass(frozen=True, slots=True)
class Request:
    """What a driver sent, as far as faults show it back."""

    line: str
    headers: str
    body: bytes

    def echo(self) -> bytes:
        """All of it, as a careless server would put it into an error's text."""
        return f"{self.line}\n{self.headers}\n".encode() + self.body


@dataclass(frozen=True, slots=True)
class Answer:
    """What the device answered."""

    status: int
    content_type: str
    body: bytes

    def as_bytes(self, *headers: str, length: int | None = None) -> bytes:
        """As it goes over the wire, with more headers or another length than the body's."""
        length = len(self.body) if length is None else length
        lines = [
            f"HTTP/1.0 {self.status} -",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {length}",
        ]
        return "\r\n".join([*lines, *headers, "", ""]).encode() + self.body


Fault = Callable[[Request, Answer], Iterator[bytes]]
"""The pieces to be sent instead of an answer; waits between them are the fault's own."""


def passed_on(request: Request, answer: Answer) -> Iterator[bytes]:
    """No fault."""
    yield answer.as_bytes()


class Proxy:
    """Answers at ``port`` from the device at ``target``, through whatever ``fault`` is set."""

    def __init__(self, target: int) -> None:
        self.fault: Fault = passed_on
        self.delay = 0.0
        self.most_at_once = 0
        self.strayed = False
        self._target, self._at_once, self._lock = target, 0, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True)

    @property
    def port(self) -> int:
        """Where it answers on loopback."""
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, request: BaseHTTPRequestHandler, body: bytes) -> Iterator[bytes]:
        """The pieces of an answer to a request. Counts those under way."""
        astray = request.path == ELSEWHERE
        self.strayed |= astray
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            found = self._ask(method, request, body)
            seen = Request(request.requestline, str(request.headers), body)
            time.sleep(self.delay)
        finally:
            with self._lock:
                self._at_once -= 1
        return (passed_on if astray else self.fault)(seen, found)

    def _ask(self, method: str, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        connection = HTTPConnection("127.0.0.1", self._target, timeout=30)
        connection.request(method, request.path, body or None, dict(request.headers))
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        connection.close()
        return found

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - inside, self is the request
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET", b"")

            def do_POST(self) -> None:
                self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def _answer(self, method: str, body: bytes) -> None:
                try:
                    for piece in proxy.answer(method, self, body):
                        self.wfile.write(piece)
                except OSError:
                    """The driver gave up, as it should."""

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Stay silent."""

        return Handler
