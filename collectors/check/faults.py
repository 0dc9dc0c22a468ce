"""What can be wrong with an answer."""

import threading
import time
from collections.abc import Iterator

from collectors.check.proxy import ELSEWHERE, Answer, Fault, Request

DRIP_S = 0.02


class Silence:
    """A device that takes requests and never answers, until the silence ends."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def __call__(self, request: Request, answer: Answer) -> Iterator[bytes]:
        self.ended.wait(60)
        yield b""


def broken_off(request: Request, answer: Answer) -> Iterator[bytes]:
    """Half of the body under headers that promise all of it."""
    half = Answer(answer.status, answer.content_type, answer.body[: len(answer.body) // 2])
    yield half.as_bytes(length=len(answer.body))


def half(request: Request, answer: Answer) -> Iterator[bytes]:
    """Half of the body, whole by its headers."""
    yield Answer(answer.status, answer.content_type, answer.body[: len(answer.body) // 2]).as_bytes()


def dripping(request: Request, answer: Answer) -> Iterator[bytes]:
    """An answer that never quite comes to its end."""
    yield answer.as_bytes(length=10**6)
    for _ in range(3_000):
        time.sleep(DRIP_S)
        yield b" "


def garbage(request: Request, answer: Answer) -> Iterator[bytes]:
    """Something that is not HTTP."""
    yield b"\x00\xff\x15\x7f" * 64


def closed(request: Request, answer: Answer) -> Iterator[bytes]:
    """Nothing, and the connection closed."""
    yield b""


def page(request: Request, answer: Answer) -> Iterator[bytes]:
    """Somebody else's page with status 200, as a captive portal gives it."""
    yield Answer(200, "text/html", b"<html><body>Welcome!</body></html>").as_bytes()


def status(code: int, *headers: str) -> Fault:
    """A refusal that shows all of the request back."""

    def fault(request: Request, answer: Answer) -> Iterator[bytes]:
        yield Answer(code, "text/plain", request.echo()).as_bytes(*headers)

    return fault


FAULTS: dict[str, Fault] = {
    "connection closed": closed,
    "answer broken off": broken_off,
    "half payload": half,
    "dripping answer": dripping,
    "garbage": garbage,
    "another's page": page,
    "401": status(401),
    "403": status(403),
    "404": status(404),
    "429": status(429, "Retry-After: 120"),
    "500": status(500),
    "503": status(503, "Retry-After: 30"),
    "redirect": status(302, f"Location: {ELSEWHERE}"),
}
