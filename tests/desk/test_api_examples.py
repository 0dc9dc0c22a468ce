"""The examples of our OpenAPI document are true: those of requests are taken, those of answers are given.

A new example fails here until somebody says how it comes about. Examples of errors are left to the tests of
what raises them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import time_machine
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from apps.accounts.models import User
from apps.analytics.models import AnalyticsItem
from apps.devices import events
from apps.devices.commands import send_command
from apps.devices.edge.happenings import Happening
from apps.devices.models import Device, EdgeUnit
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Source
from apps.readings.series import FieldSpec, declare
from tests.people import AsUser

Ask = Callable[..., Any]
MINUTE = 60_000
NEW_YEAR = 1_767_222_000_000  # in Brussels
NOW = datetime.fromtimestamp(1_780_000_020, UTC)
DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


def found() -> dict[str, Any]:
    """Each example by its operation, the kind of body it is of, and its name."""
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')} {status} {name}": example["value"]
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        for status, body in {"request": operation.get("requestBody", {}), **operation["responses"]}.items()
        for content in body.get("content", {}).values()
        for name, example in content.get("examples", {}).items()
        if not status.startswith(("4", "5"))
    }


EXAMPLES = found()
EVALUATE = "GET /houses/{house_id}/evaluate/ 200"


@pytest.fixture(autouse=True)
def _at_noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ask(house_a: House, bob: User, as_user: AsUser) -> Ask:
    """Ask for something of the house as Bob."""
    client = as_user(bob)

    def asked(place: str, **query: Any) -> Any:
        answer = client.get(f"/api/v1/houses/{house_a.pk}/{place}/", query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return asked


@pytest.fixture
def send(house_a: House) -> Ask:
    """Post to, or get from, the edge API as the agent of the house."""
    headers = {"Authorization": f"Bearer {credentials.issue(house=house_a).key}"}

    def sent(place: str, body: Any = None) -> Any:
        address = f"/api/v1/edge/{place}/"
        if body is None:
            answer = Client().get(address, headers=headers)
        else:
            answer = Client().post(address, body, "application/json", headers=headers)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return sent


def solar(house: House, *stamps: int) -> None:
    """3.2 kW of sun at the stamps."""
    source = Source.objects.create(house=house, name="egauge")
    declare(source=source, fields=[FieldSpec("A.Solar", "power", "kW", "gauge", 60.0)])
    block = store.Block(("A.Solar",), np.array(stamps, np.int64), np.full((1, len(stamps)), 3.2))
    store.append([store.Upload(source.pk, (block,))], received_at=NOW)


def meter(house: House) -> Device:
    config = {"ip": "192.168.1.20", "keys": ["A.Solar", "A.Load"]}
    return create_device(house=house, name="egauge", type="egauge", config=config)


class TestOfPeople:
    def test_the_newest_values(self, ask: Ask, house_a: House) -> None:
        solar(house_a, 1_767_225_600_000)
        assert ask("latest") == EXAMPLES["GET /houses/{house_id}/latest/ 200 OneField"]

    def test_series(self, ask: Ask, house_a: House) -> None:
        solar(house_a, *range(NEW_YEAR, NEW_YEAR + 61 * MINUTE, MINUTE))
        answer = ask(
            "series", series="egauge.A.Solar", start=NEW_YEAR, end=NEW_YEAR + 90 * MINUTE, every="1h"
        )
        assert answer == EXAMPLES["GET /houses/{house_id}/series/ 200 ADayInHours"]

    def test_items(self, ask: Ask, house_a: House) -> None:
        solar(house_a, *range(NEW_YEAR, NEW_YEAR + 61 * MINUTE, MINUTE))
        for name, formula in (("solar", "pos(egauge.A.Solar)"), ("watts", "1000*analytics.solar")):
            AnalyticsItem.objects.create(house=house_a, name=name, formula=formula)
        bins = {"item": "solar", "start": NEW_YEAR, "end": NEW_YEAR + 90 * MINUTE, "every": "1h"}
        assert ask("evaluate", **bins) == EXAMPLES[f"{EVALUATE} AnItemInHours"]
        whole = {"item": "solar", "start": NEW_YEAR, "end": NEW_YEAR + 60 * MINUTE}
        energy = ask("evaluate", aggregate="integral", **whole)
        example = EXAMPLES[f"{EVALUATE} EnergyOfARange"]
        assert energy == {**example, "value": pytest.approx(example["value"])}
        instant = {"item": "watts", "start": NEW_YEAR, "end": NEW_YEAR + 1, "explain": NEW_YEAR}
        assert ask("evaluate", **instant) == EXAMPLES[f"{EVALUATE} AValueExplained"]

    def test_events(self, ask: Ask, house_a: House) -> None:
        source = Source.objects.create(house=house_a, name="ev1")
        example = EXAMPLES["GET /houses/{house_id}/events/ 200 OneEvent,AndOlderOnesToAskFor"]
        event = example["events"][0]
        for earlier in (1, 0):
            stamp = event["timestamp"] - earlier
            events.add(house=house_a, happened=[Happening(source.pk, stamp, event["type"], event["data"])])
        answer = ask("events", limit=1)
        assert answer["events"] == example["events"]
        assert ask("events", before=answer["before"])["events"][0]["timestamp"] == event["timestamp"] - 1
        assert ask("events", before=example["before"])["before"] is None


class TestOfAgents:
    def test_an_upload(self, send: Ask, house_a: House) -> None:
        meter(house_a)
        body = EXAMPLES["POST /edge/readings/ request TwoReadings,AStateAndAnEvent"]
        answer = send("readings", body)
        assert (answer["stored"], answer["refused"][0]["code"]) == (3, "unknown_source")  # no ev1 here

    def test_a_heartbeat(self, send: Ask) -> None:
        answer = send("readings", EXAMPLES["POST /edge/readings/ request AHeartbeat"])
        assert answer == {"stored": 0, "events": 0, "refused": []}
        assert EdgeUnit.objects.get().spool == 0

    def test_a_receipt(self, send: Ask, house_a: House) -> None:
        meter(house_a)
        now = int(NOW.timestamp() * 1000)
        fields = {"A.Solar": [1.0, 2.0], "A.Load": [1.0, None], "A.Grid": ["x", "y"]}
        batch = {"source": "egauge", "timestamps": [now - 1, now], "fields": fields}
        body = {"batches": [batch], "events": [{"source": "egauge", "timestamp": now, "type": "X"}]}
        assert send("readings", body) == EXAMPLES["POST /edge/readings/ 200 OneFieldRefused"]

    def test_a_device_list(self, send: Ask, house_a: House) -> None:
        meter(house_a)
        EdgeUnit.objects.filter(house=house_a).update(config_version=3)
        assert send("config") == EXAMPLES["GET /edge/config/ 200 OneDevice"]

    def test_an_acknowledgement(self, send: Ask, house_a: House) -> None:
        meter(house_a)
        EdgeUnit.objects.filter(house=house_a).update(config_version=3)
        send("config/ack", EXAMPLES["POST /edge/config/ack/ request ADeviceThatCannotBeRead"])
        assert EdgeUnit.objects.get().ack_errors[0]["device"] == "egauge"

    def test_commands(self, send: Ask, house_a: House) -> None:
        (example,) = EXAMPLES["GET /edge/commands/ 200 ABatteryInManualMode"]
        expires = datetime.fromtimestamp(example["expires_at"] / 1000, UTC)
        battery = create_device(house=house_a, name="battery", type="sonnen", config={"ip": "192.168.1.30"})
        for_it = timedelta(minutes=5)
        with time_machine.travel(expires - for_it, tick=False):
            command = send_command(
                device=battery, data=example["data"], valid_for=for_it, now=expires - for_it, by=None
            )
            assert send("commands") == [{**example, "id": command.pk}]
            result = EXAMPLES["POST /edge/commands/{command_id}/result/ request DoneAndSeenToBeDone"]
            send(f"commands/{command.pk}/result", result)
            assert send("commands") == []


# What the tests above and those named here make true.
TOLD = {
    "GET /houses/{house_id}/latest/ 200 OneField",
    "GET /houses/{house_id}/series/ 200 ADayInHours",
    "GET /houses/{house_id}/events/ 200 OneEvent,AndOlderOnesToAskFor",
    f"{EVALUATE} AnItemInHours",
    f"{EVALUATE} EnergyOfARange",
    f"{EVALUATE} AValueExplained",
    "POST /edge/readings/ request TwoReadings,AStateAndAnEvent",
    "POST /edge/readings/ request AHeartbeat",
    "POST /edge/readings/ 200 OneFieldRefused",
    "GET /edge/config/ 200 OneDevice",
    "POST /edge/config/ack/ request ADeviceThatCannotBeRead",
    "GET /edge/commands/ 200 ABatteryInManualMode",
    "POST /edge/commands/{command_id}/result/ request DoneAndSeenToBeDone",
    "POST /loggers/acquisuite/ 200 Stored",  # tests/meters
}


def test_no_example_is_left_unread() -> None:
    assert set(EXAMPLES) == TOLD
