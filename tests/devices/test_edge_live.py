"""The edge API over a real socket, spoken to by the agent's own client."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from apps.devices.models import Device, EdgeUnit
from collectors.agent.bundle import Bundle
from collectors.agent.client import Client
from tests.devices.conftest import CONFIG, Agent, Reader, batch

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(live_server: Any, agent: Agent) -> Client:
    return Client(Bundle(house="house-a", url=live_server.url, key=agent.key))


def test_the_agents_client_fetches_acknowledges_and_delivers(
    client: Client, egauge: Device, readings: Reader
) -> None:
    answer = client.config(None)
    listed = msgspec.json.decode(answer.body)
    assert listed["devices"][0]["config"] == CONFIG
    assert client.config(answer.headers["ETag"]).status == 304

    assert client.acknowledge({"version": listed["version"], "errors": []}).status == 200
    assert EdgeUnit.objects.get().acked_version == 1

    now = int(time.time() * 1000)
    body = msgspec.json.encode({"batches": [batch(at=[now], a=[1.5])], "agent": {"version": "1"}})
    assert msgspec.json.decode(client.upload(body).body) == {"stored": 1, "events": 0, "refused": []}
    assert readings("a") == {now: 1.5}


def test_an_upload_of_megabytes_arrives_whole(client: Client, egauge: Device, readings: Reader) -> None:
    now = int(time.time() * 1000)
    stamps = range(now - 200_000, now)
    body = msgspec.json.encode({"batches": [batch(at=stamps, a=[stamp % 977 for stamp in stamps])]})
    assert msgspec.json.decode(client.upload(body).body)["stored"] == 200_000
    assert readings("a") == {stamp: float(stamp % 977) for stamp in stamps}


def test_an_answer_to_what_is_too_large_reaches_the_sender(client: Client) -> None:
    assert client.upload(b" " * 50_000_000).status == 413
