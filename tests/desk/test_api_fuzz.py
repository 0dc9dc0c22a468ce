"""Requests made up from our own OpenAPI document: answers are as it says, and none is a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from django.core import signals
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, settings
from pytest_django import Settings
from schemathesis.specs.openapi import checks

from apps.accounts.models import User
from apps.accounts.mutations import issue_token
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.models import House
from config.wsgi import application

schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application)


# What the document cannot say: names must be of things that are there, ranges and versions must fit, bodies
# must be what their encoding says, and an upload with faults is taken for what is good in it.
MEANING = [checks.positive_data_acceptance]
LEFT_OUT = {
    "/api/v1/houses/{house_id}/series/": MEANING,
    "/api/v1/houses/{house_id}/evaluate/": MEANING,
    # An object in a query is written as an empty text, and an empty limit is none.
    "/api/v1/houses/": [checks.negative_data_rejection],
    "/api/v1/houses/{house_id}/events/": MEANING,
    "/api/v1/edge/config/ack/": MEANING,
    "/api/v1/edge/commands/{command_id}/result/": MEANING,
    "/api/v1/edge/readings/": [*MEANING, checks.negative_data_rejection],
    # Its GET is for people who try the address in a browser, and no part of the API.
    "/api/v1/loggers/acquisuite/": [checks.allow_header_conformance, checks.unsupported_method],
}


@pytest.fixture
def _one_connection(db: None) -> Iterator[None]:
    """Requests end without closing the connection that holds the test's transaction."""
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def headers(
    _one_connection: None, bob: User, house_a: House, settings: Settings
) -> dict[str, dict[str, str]]:
    """What Bob's programs and the agent of his house show, by the scheme of an operation."""
    settings.API_REQUESTS_PER_MINUTE = settings.EDGE_REQUESTS_PER_MINUTE = 10**9
    settings.ALLOWED_HOSTS = ["*"]
    create_device(
        house=house_a, name="egauge", type="egauge", config={"ip": "192.0.2.7", "keys": ["A.Solar"]}
    )
    token = issue_token(user=bob, now=timezone.now())[1]
    key = credentials.issue(house=house_a).key
    return {"person": {"Authorization": f"Token {token}"}, "house": {"Authorization": f"Bearer {key}"}}


@schema.parametrize()
@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_the_document_allows_is_answered_as_it_says(
    case: schemathesis.Case, headers: dict[str, dict[str, str]], house_a: House
) -> None:
    if (
        case.path_parameters
        and isinstance(number := case.path_parameters.get("house_id"), int)
        and number % 4
    ):
        case.path_parameters["house_id"] = house_a.pk
    shown = headers["house" if "/edge/" in case.operation.path else "person"]
    case.call_and_validate(headers=shown, excluded_checks=LEFT_OUT.get(case.operation.path))
