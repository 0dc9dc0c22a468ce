"""HTTP as drivers speak it: bounded in time and size, without redirects, one request per device at a time."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import requests

from collectors.drivers.contract import DeviceError
from collectors.http import Answer, NetworkError, exchange

HOST = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$"
"""A host name or address with an optional port and nothing else: no scheme, path or user name."""

CLOUD = (
    r"^(https://[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|http://(127\.0\.0\.1|localhost|\[::1\]))"
    r"(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$"
)
"""A server's address with TLS, or one on this machine, without a slash at its end."""

SHORTEST_PAUSE_S, USUAL_PAUSE_S, LONGEST_PAUSE_S = 1, 60, 3600

_turns: WeakValueDictionary[str, Any] = WeakValueDictionary()
_turns_lock = threading.Lock()


def turn(device: str) -> AbstractContextManager[object]:
    """The lock of a device: whichever thread holds it is the only one with a request under way.

    A driver whose configuration was just replaced may still be waiting for an answer when its successor
    begins; small devices lose both requests then. ``get`` takes the turn of the address for each request;
    a driver that needs several in a row, or speaks to its device otherwise, takes one itself.
    """
    with _turns_lock:
        lock: AbstractContextManager[object] = _turns.setdefault(device, threading.RLock())
        return lock


def local_session(auth: requests.auth.AuthBase | None = None) -> requests.Session:
    """A session that ignores proxies and ``.netrc``: both are meant for the world outside the house."""
    session = requests.Session()
    session.trust_env = False
    session.auth = auth
    return session


def get(session: requests.Session, url: str, *, timeout: float, limit: int = 1_000_000) -> bytes:
    """The body of a 200 answer of at most ``limit`` bytes; raises DeviceError for anything else."""
    with turn(url.split("/")[2]):
        return body_of(ask(session, requests.Request("GET", url), timeout=timeout, limit=limit))


def ask(session: requests.Session, request: requests.Request, *, timeout: float, limit: int) -> Answer:
    """The answer, whatever its status; raises DeviceError without a whole one."""
    try:
        return exchange(session, request, timeout=timeout, patience=3 * timeout, limit=limit)
    except NetworkError as error:
        raise DeviceError(f"The device cannot be read: {error}.") from error


def body_of(answer: Answer) -> bytes:
    """The body of a 200 answer; raises DeviceError for every other."""
    if answer.status != requests.codes.ok:
        raise DeviceError(_refusal(answer))
    return answer.body


def json_of(body: bytes, expected: Any = Any) -> Any:
    """What JSON says, checked against a type; raises DeviceError where it is none or another thing."""
    try:
        return msgspec.json.decode(body, type=expected)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DeviceError("The device's answer is not the JSON that was expected.") from error


class Cloud:
    """A vendor's server: it is asked nothing while it wants a pause."""

    def __init__(
        self, *, timeout: float, limit: int = 1_000_000, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._timeout, self._limit, self._monotonic = timeout, limit, monotonic
        self._session = requests.Session()
        self._rests_until = 0.0

    def ask(self, request: requests.Request) -> Answer:
        """The answer, whatever its status; raises DeviceError without one, and during a pause."""
        if self._monotonic() < self._rests_until:
            raise DeviceError("The server asked for a pause (HTTP 429 or 503).")
        answer = ask(self._session, request, timeout=self._timeout, limit=self._limit)
        if answer.status == requests.codes.too_many_requests or "Retry-After" in answer.headers:
            self._rests_until = self._monotonic() + _pause(answer.headers.get("Retry-After", ""))
        return answer


def _pause(text: str) -> float:
    seconds = int(text) if text.isdecimal() and len(text) < 10 else USUAL_PAUSE_S
    return min(max(seconds, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)


def _refusal(answer: Answer) -> str:
    if answer.status in (requests.codes.unauthorized, requests.codes.forbidden):
        return f"The device refused the user name or password (HTTP {answer.status})."
    if 300 <= answer.status < 400:
        return f"The device answered with a redirect (HTTP {answer.status}), which is not followed."
    return f"The device answered HTTP {answer.status}."
