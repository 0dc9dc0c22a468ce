"""A little real server with the edge API, whose answers the test decides."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "k3y-of-the-house"
Answer = tuple[int, dict[str, str], bytes]


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The condition's first true value. Raises AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return value


class Desk:
    """Stores uploads like the real server; ``answers`` are used up first, one per upload."""

    def __init__(self) -> None:
        self.devices: list[dict[str, Any]] = []
        self.version = 1
        self.uploads: list[dict[str, Any]] = []
        self.attempts: list[float] = []
        self.spooled: list[int] = [0]
        self.broken_config = False
        self.acks: list[dict[str, Any]] = []
        self.commands: Any = []
        self.results: list[tuple[int, dict[str, Any]]] = []
        self.result_statuses: list[int] = []
        self.config_statuses: list[int] = []
        self.authorizations: set[str] = set()
        self.answers: list[Answer | Callable[[], Answer]] = []
        self.always: Callable[[dict[str, Any]], Answer | None] = lambda _: None
        self.refused: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def bundle(self) -> dict[str, str]:
        return {"house": "demo", "url": self.url, "key": KEY}

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens at the address meanwhile."""
        port = self.server.server_port
        self.server.shutdown()
        self.server.server_close()
        yield
        self.server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def configure(self, *devices: dict[str, Any]) -> None:
        self.devices, self.version = list(devices), self.version + 1

    def readings(self, source: str) -> list[tuple[int, dict[str, Any]]]:
        """All stored readings of a source: stamp, and fields with states."""
        found = []
        for batch in [b for upload in self.uploads for b in upload["batches"] if b["source"] == source]:
            columns = batch["fields"] | batch.get("states", {})
            for n, timestamp in enumerate(batch["timestamps"]):
                found.append((timestamp, {name: column[n] for name, column in columns.items()}))
        return found

    def events(self) -> list[dict[str, Any]]:
        return [event for upload in self.uploads for event in upload.get("events", [])]

    def take(self, upload: dict[str, Any]) -> Answer:
        with self.lock:
            self.attempts.append(time.monotonic())
            self.spooled.append(upload["agent"]["spool"])
            answer = self.answers.pop(0) if self.answers else self.always(upload)
            if answer is None:
                self.uploads.append(upload)
        if callable(answer):
            return answer()
        return answer or (200, {}, json.dumps({"stored": 1, "events": 0, "refused": self.refused}).encode())

    def config(self, etag: str | None) -> Answer:
        if self.broken_config:
            return 503, {}, b""
        current = f'"{self.version}"'
        status = 304 if etag == current else 200
        self.config_statuses.append(status)
        body = json.dumps({"version": self.version, "devices": self.devices}).encode()
        return status, {"ETag": current}, b"" if status == 304 else body

    def told(self) -> Answer:
        """The commands that wait; a number in their place is the status of a refusal."""
        if isinstance(self.commands, int):
            return self.commands, {}, b""
        return 200, {}, json.dumps(self.commands).encode()

    def result(self, number: int, outcome: dict[str, Any]) -> Answer:
        status = self.result_statuses.pop(0) if self.result_statuses else 200
        if status == 200:
            self.results.append((number, outcome))
            self.commands = [one for one in self.commands if one["id"] != number]
        return status, {}, b"{}"

    def posted(self, path: str, content: dict[str, Any]) -> Answer:
        if path.endswith("/ack/"):
            self.acks.append(content)
            return 200, {}, b"{}"
        if path.endswith("/result/"):
            return self.result(int(path.split("/")[-3]), content)
        return self.take(content)

    def _handler(desk) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                desk.authorizations.add(self.headers.get("Authorization", ""))
                told = self.path.endswith("/commands/")
                self.answer(*(desk.told() if told else desk.config(self.headers.get("If-None-Match"))))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                self.answer(*desk.posted(self.path, json.loads(body)))

            def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                try:
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                """Stay silent."""

        return Handler


@contextmanager
def open_desk() -> Iterator[Desk]:
    desk = Desk()
    thread = threading.Thread(target=desk.server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    yield desk
    desk.server.shutdown()
    desk.server.server_close()
    thread.join()
