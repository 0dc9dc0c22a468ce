"""Follow the house's configuration: fetch it, keep it on disk, put it to use, and acknowledge it."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from collectors.agent.client import Client
from collectors.agent.files import replace
from collectors.agent.fleet import Fault
from collectors.agent.trouble import Backoff, Trouble
from collectors.http import Answer, NetworkError

log = logging.getLogger(__name__)


class Configuration(msgspec.Struct, frozen=True):
    """What the server wants to be read. Devices are checked one by one: a bad one costs only itself."""

    version: int | str
    devices: list[Any]

    def __repr__(self) -> str:
        return f"Configuration({self.version!r}, {len(self.devices)} devices)"


class Kept(msgspec.Struct, frozen=True):
    """A configuration as it lies on disk, with the name that the server gave to this very answer."""

    etag: str | None
    configuration: Configuration


class NoConfigurationError(Exception):
    """The server gave no configuration; the text says what it gave instead."""


class Configurer(threading.Thread):
    """Asks the server every ``interval`` seconds, sooner after a failure, and starts from the disk."""

    def __init__(
        self,
        client: Client,
        path: Path,
        apply: Callable[[Iterable[Any]], list[Fault]],
        *,
        interval: float = 60.0,
    ) -> None:
        super().__init__(name="configurer", daemon=True)
        self._client, self._path, self._apply, self._interval = client, path, apply, interval
        self._backoff, self._trouble = Backoff(longest=interval), Trouble()
        self._kept: Kept | None = None
        self._unacknowledged: dict[str, Any] | None = None
        self._stopping = threading.Event()

    def version(self) -> int | str | None:
        """The version in use, None before the first."""
        return self._kept.configuration.version if self._kept else None

    def stop(self) -> None:
        """End after the exchange that is under way."""
        self._stopping.set()

    def run(self) -> None:
        """Use what is on disk, then follow the server until stopped."""
        self._load()
        while not self._stopping.is_set():
            self._stopping.wait(self._interval if self.follow() else self._backoff.pause())

    def follow(self) -> bool:
        """Ask once, and acknowledge what is not yet acknowledged; whether that worked."""
        try:
            self._fetch()
            self._acknowledge()
        except (NetworkError, NoConfigurationError, OSError) as error:
            if self._trouble.begins():
                log.warning("The configuration cannot be renewed: %s.", error)
            return False
        self._backoff.reset()
        if self._trouble.ends():
            log.info("The configuration is up to date again.")
        return True

    def _load(self) -> None:
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError):
            log.warning("The configuration in %s cannot be used; waiting for the server's.", self._path)
            return
        self._use(kept)

    def _fetch(self) -> None:
        answer = self._client.config(self._kept.etag if self._kept else None)
        if answer.status == 304:
            return
        kept = Kept(answer.headers.get("ETag"), _configuration(answer))
        if self._kept is None or kept.configuration != self._kept.configuration:
            self._use(kept)
        elif kept == self._kept:
            return
        self._kept = kept
        replace(self._path, msgspec.json.encode(kept))

    def _use(self, kept: Kept) -> None:
        faults = self._apply(kept.configuration.devices)
        self._kept = kept
        self._unacknowledged = {"version": kept.configuration.version, "errors": faults}
        log.info("Configuration %s is in use.", kept.configuration.version)

    def _acknowledge(self) -> None:
        if self._unacknowledged is None:
            return
        answer = self._client.acknowledge(self._unacknowledged)
        if not 200 <= answer.status < 300:
            raise NoConfigurationError(f"its acknowledgement was answered with HTTP {answer.status}")
        self._unacknowledged = None


def _configuration(answer: Answer) -> Configuration:
    if answer.status != 200:
        raise NoConfigurationError(f"the server answered HTTP {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=Configuration)
    except msgspec.MsgspecError as error:
        raise NoConfigurationError("the server's answer is not a configuration") from error
