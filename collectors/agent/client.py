"""The edge API of the server, as the agent calls it."""

import gzip
from typing import Any

import msgspec
import requests

from collectors.agent.bundle import Bundle
from collectors.http import Answer, Bearer, exchange

LONGEST_ANSWER = 8_000_000


class Client:
    """One thread's connection to the server. Every call raises NetworkError without a whole answer."""

    def __init__(self, bundle: Bundle, *, timeout: float = 30.0) -> None:
        self._bundle, self._timeout = bundle, timeout
        self._session = requests.Session()
        self._session.auth = Bearer(bundle.key)

    def config(self, etag: str | None) -> Answer:
        """The house's devices; 304 while what ``etag`` names is the newest."""
        return self._exchange("GET", "config/", headers={"If-None-Match": etag} if etag else {})

    def acknowledge(self, ack: dict[str, Any]) -> Answer:
        """Tell which configuration is in use and which of its devices cannot be read."""
        return self._post("config/ack/", msgspec.json.encode(ack))

    def commands(self) -> Answer:
        """What devices of the house are told to do."""
        return self._exchange("GET", "commands/")

    def result(self, number: int, result: dict[str, Any]) -> Answer:
        """Tell what became of a command."""
        return self._post(f"commands/{number}/result/", msgspec.json.encode(result))

    def upload(self, body: bytes) -> Answer:
        """Deliver one upload of readings and events, as JSON."""
        return self._post("readings/", gzip.compress(body, 5), {"Content-Encoding": "gzip"})

    def _post(self, path: str, data: bytes, headers: dict[str, str] | None = None) -> Answer:
        return self._exchange(
            "POST", path, data=data, headers={"Content-Type": "application/json", **(headers or {})}
        )

    def _exchange(self, method: str, path: str, **parts: Any) -> Answer:
        request = requests.Request(method, self._bundle.endpoint(path), **parts)
        timeout = self._timeout
        return exchange(self._session, request, timeout=timeout, patience=timeout, limit=LONGEST_ANSWER)
