"""A house with a device, its key, and an agent that speaks with it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.devices.edge import units
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Series, Source

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
PASSWORD = "meter-password-7391"
CONFIG = {"ip": "192.0.2.7", "keys": ["A.Solar", "A.Load"], "username": "owner", "password": PASSWORD}


@pytest.fixture(autouse=True)
def _forgetful(settings: Any) -> None:
    """No memory of another test's agents and keys."""
    units.memory.clear()
    credentials.forget()


@pytest.fixture
def noon(db: None) -> Any:
    """Time stands still at NOW."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def egauge(house_a: House) -> Device:
    return create_device(house=house_a, name="egauge", type="egauge", config=CONFIG)


@pytest.fixture
def battery(house_a: House) -> Device:
    """A device that takes commands."""
    return create_device(house=house_a, name="battery", type="sonnen", config={"ip": "192.0.2.8"})


@dataclass
class Agent:
    """Speaks the edge API with one key."""

    key: str

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def send(self, body: bytes, **headers: str) -> Any:
        """Post the bytes as they are."""
        return Client(raise_request_exception=False).post(
            "/api/v1/edge/readings/", body, "application/json", headers={**self._headers, **headers}
        )

    def upload(self, *batches: Any, events: Any = None, **more: Any) -> Any:
        """Post an envelope."""
        envelope = {"batches": list(batches), **more}
        if events is not None:
            envelope["events"] = events
        return self.send(json.dumps(envelope).encode())

    def zipped(self, body: bytes) -> Any:
        """Post bytes that say they are gzip."""
        return self.send(body, **{"Content-Encoding": "gzip"})

    def config(self, etag: str | None = None) -> Any:
        """Fetch the device list."""
        headers = {**self._headers, **({"If-None-Match": etag} if etag else {})}
        return Client(raise_request_exception=False).get("/api/v1/edge/config/", headers=headers)

    def ack(self, content: Any) -> Any:
        """Acknowledge a device list."""
        return Client(raise_request_exception=False).post(
            "/api/v1/edge/config/ack/", json.dumps(content), "application/json", headers=self._headers
        )

    def commands(self) -> Any:
        """Fetch what devices are told to do."""
        client = Client(raise_request_exception=False)
        return client.get("/api/v1/edge/commands/", headers=self._headers)

    def result(self, number: int, content: Any) -> Any:
        """Tell what became of a command."""
        return Client(raise_request_exception=False).post(
            f"/api/v1/edge/commands/{number}/result/",
            json.dumps(content),
            "application/json",
            headers=self._headers,
        )


@pytest.fixture
def agent(house_a: House) -> Agent:
    """The agent of house A."""
    return Agent(credentials.issue(house=house_a).key)


@pytest.fixture
def other_agent(house_b: House) -> Agent:
    """The agent of house B."""
    return Agent(credentials.issue(house=house_b).key)


def batch(source: str = "egauge", at: Any = (NOW_MS,), states: Any = None, **fields: Any) -> dict[str, Any]:
    """A batch of fields whose names are given as keywords."""
    made = {"source": source, "timestamps": list(at), "fields": fields}
    return made if states is None else {**made, "states": states}


Reader = Callable[..., dict[int, float]]


@pytest.fixture
def readings() -> Reader:
    """A function that reads a series: {stamp: value}."""

    def read(field: str, source: str = "egauge", house: str = "house-a") -> dict[int, float]:
        series = Series.objects.filter(source__house__name=house, source__name=source, field=field).first()
        if series is None:
            return {}
        samples = store.read([series.pk], start=0, end=4 * 10**12)[series.pk]
        return dict(zip(samples.stamps.tolist(), samples.values.tolist(), strict=True))

    return read


def source_of(name: str = "egauge") -> Source:
    return Source.objects.get(name=name)


def zipped(body: bytes) -> bytes:
    return gzip.compress(body)


def refusals(answer: Any) -> set[tuple[Any, Any, str, int]]:
    """(source, field, code, count) of everything refused."""
    return {(r["source"], r.get("field"), r["code"], r["count"]) for r in answer.json()["refused"]}
