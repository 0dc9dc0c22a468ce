"""The two ways to a battery's documents: its own interface in the house, and the vendor's cloud."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import requests

from collectors.drivers.contract import DeviceError
from collectors.drivers.sonnen.config import POWER, SOC, Config
from collectors.drivers.transport import Cloud, body_of, get, json_of, local_session
from collectors.drivers.values import measured
from collectors.http import Bearer

DOCUMENTS = {"status": "api/v1/status", "battery": "api/battery"}
ESSENTIAL = {"status": POWER, "battery": SOC}
LOCAL_PORT = 8080
ACCEPT = "application/vnd.sonnenbatterie.api.core.v1+json"

Way = Callable[[str], bytes]
"""Fetches the body at a path of the interface. Raises DeviceError."""


@dataclass(frozen=True, slots=True)
class Look:
    """The leaves of the documents that came, by flattened name, and what was wrong with the others."""

    leaves: dict[str, Any]
    faults: dict[str, str]


def local(config: Config) -> Way:
    """The battery's own interface."""
    session = local_session()
    return lambda path: get(session, f"{address(config)}/{path}", timeout=config.timeout)


def cloud(config: Config, monotonic: Callable[[], float]) -> Way | None:
    """The vendor's cloud, where it is configured."""
    if not config.token:
        return None
    server, bearer = Cloud(timeout=config.timeout, monotonic=monotonic), Bearer(config.token)
    return lambda path: body_of(
        server.ask(
            requests.Request(
                "GET",
                f"{config.cloud}/proxy/{config.serial}/{path}",
                auth=bearer,
                headers={"Accept": ACCEPT},
            )
        )
    )


def address(config: Config) -> str:
    """Where the battery's own interface begins."""
    has_port = ":" in config.ip.rpartition("]")[2]
    return f"http://{config.ip}" if has_port else f"http://{config.ip}:{LOCAL_PORT}"


def look(way: Way) -> Look:
    """Fetch both documents; one that fails, or is not what it should be, costs only itself."""
    leaves: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, path in DOCUMENTS.items():
        try:
            leaves |= flattened(name, json_of(way(path), dict[str, Any]))
            if measured(leaves.get(ESSENTIAL[name])) is None:
                faults[name] = f"The battery's answer holds no {ESSENTIAL[name]}."
        except DeviceError as error:
            faults[name] = str(error)
    return Look(leaves, faults)


def flattened(name: str, content: Any) -> dict[str, Any]:
    """The leaves of nested objects by names joined with dots; lists are no values and have none."""
    return dict(_leaves(name, content))


def _leaves(name: str, content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(f"{name}.{key}", value)
    elif not isinstance(content, list):
        yield name, content
