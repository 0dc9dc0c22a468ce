"""The edge API over a real socket, spoken to by the agent's own client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from apps.devices.commands import send_command
from apps.devices.models import Command, Device, EdgeUnit
from apps.devices.mutations import create_device
from apps.houses.models import House
from apps.readings.models import Source
from collectors.agent.agent import Agent as EdgeAgent
from collectors.agent.agent import Pace
from collectors.agent.bundle import Bundle
from collectors.agent.client import Client
from collectors.simulation.sonnen import Simulator
from collectors.simulation.world import World
from config.processes import wait_until
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


@pytest.fixture
def battery() -> Iterator[Simulator]:
    """A simulated battery, half full."""
    world = World(3, round((time.time() - 86_400) * 1000))
    at = world.at
    world.at = lambda stamp: at(stamp)._replace(soc=50.0)  # type: ignore[method-assign]
    with Simulator(world) as simulated:
        yield simulated


def test_a_battery_is_told_what_to_do_and_the_operator_that_it_does(
    live_server: Any, agent: Agent, house_a: House, battery: Simulator, tmp_path: Path
) -> None:
    device = create_device(house=house_a, name="battery", type="sonnen", config=battery.config, interval_s=1)
    bundle = Bundle(house="house-a", url=live_server.url, key=agent.key)
    edge, stop = EdgeAgent(bundle, tmp_path / "state", Pace(config=60.0, heartbeat=0.3)), threading.Event()
    running = threading.Thread(target=edge.run, args=[stop])
    running.start()
    try:
        assert wait_until(lambda: hasattr(fresh(device), "latest"), seconds=20)
        done = tell(device, {"action": "set_mode", "mode": "manual", "value": 500.0})
        assert wait_until(lambda: ended(done), seconds=20)
        refused = tell(device, {"action": "batt_act", "value": 90_000.0})
        assert wait_until(lambda: ended(refused), seconds=20)
    finally:
        stop.set()
        running.join(20)
    assert (done.state, battery.setpoint) == ("verified", 500)
    assert (refused.state, refused.message) == (
        "failed",
        "The set-point exceeds the 3300 W that are allowed.",
    )


def fresh(device: Device) -> Source:
    return Source.objects.select_related("latest").get(pk=device.pk)


def tell(device: Device, data: dict[str, Any]) -> Command:
    valid_for = timedelta(minutes=5)
    return send_command(device=device, data=data, valid_for=valid_for, now=timezone.now(), by=None)


def ended(command: Command) -> bool:
    command.refresh_from_db()
    return command.finished_at is not None
