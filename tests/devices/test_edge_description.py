"""The edge API in the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.devices.edge import description
from apps.devices.edge.refusals import Code
from apps.devices.models import Device
from tests.devices.conftest import NOW_MS, Agent

PATHS = ["/api/v1/edge/readings/", "/api/v1/edge/config/", "/api/v1/edge/config/ack/"]


@pytest.fixture(scope="module")
def document() -> Any:
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.validation import validate_schema

    made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    validate_schema(made)  # type: ignore[no-untyped-call]
    return made


def operation(document: Any, path: str) -> Any:
    (found,) = document["paths"][path].values()
    return found


@pytest.mark.parametrize("path", PATHS)
def test_every_endpoint_wants_a_house_key_and_tells_of_its_errors(document: Any, path: str) -> None:
    described = operation(document, path)
    assert described["security"] == [{"houseKey": []}]
    assert {"200", "401", "429", "503"} <= set(described["responses"])
    assert document["components"]["securitySchemes"]["houseKey"]["scheme"] == "bearer"


def test_the_answer_to_an_upload_names_every_code(document: Any) -> None:
    answer = operation(document, PATHS[0])["responses"]["200"]["content"]["application/json"]["schema"]
    codes = answer["properties"]["refused"]["items"]["properties"]["code"]["enum"]
    assert set(codes) == {code.value for code in Code}


def test_the_document_is_served_and_its_pages_have_the_examples(db: None, client: Client) -> None:
    answer = client.get("/api/v1/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert "EV_START_CHARGING" in answer.content.decode()


def test_the_example_upload_is_taken_as_it_is(agent: Agent, egauge: Device, noon: Any) -> None:
    example = json.loads(json.dumps(description._UPLOAD.value))
    example["batches"][0]["timestamps"] = [NOW_MS - 10_000, NOW_MS]
    example["events"][0] |= {"source": "egauge", "timestamp": NOW_MS}
    assert agent.upload(**example).json() == {"stored": 3, "events": 1, "refused": []}
