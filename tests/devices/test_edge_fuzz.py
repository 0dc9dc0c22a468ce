"""Whatever comes, the answer is one of the contract's, and what it calls stored can be read."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.devices.models import Event
from apps.readings.models import Tail
from tests.devices.conftest import NOW_MS, Agent, Reader
from tests.fuzzing import examples

pytestmark = pytest.mark.usefixtures("egauge", "noon", "unthrottled")

# The database is shared by the examples of a test: each may add to it, none relies on its being empty.
many = settings(
    max_examples=examples(200, nightly=2_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
stamps = st.integers(NOW_MS - 10_000, NOW_MS) | st.integers() | json_values
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-100, 100)
names = st.sampled_from(["a", "b", "A.Solar", "_length", "_quality", "_x", "", "a\0", "\ud800"]) | st.text()
batches = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["egauge", "nobody"]) | json_values,
        "timestamps": st.lists(st.integers(NOW_MS - 10_000, NOW_MS), max_size=3)
        | st.lists(stamps, max_size=3),
        "fields": st.dictionaries(names, st.lists(numbers, max_size=3) | json_values, max_size=4)
        | json_values,
    },
    optional={
        "states": st.dictionaries(
            names, st.lists(st.none() | st.booleans() | st.text(), max_size=3) | json_values
        )
        | json_values
    },
)
events = st.fixed_dictionaries(
    {"timestamp": stamps, "type": st.sampled_from(["X", "STATE"]) | json_values},
    optional={"source": st.sampled_from(["egauge", None]) | json_values, "data": json_values},
)
envelopes = st.fixed_dictionaries(
    {"batches": st.lists(batches | json_values, max_size=4)},
    optional={"events": st.lists(events | json_values, max_size=3) | json_values, "agent": json_values},
)

ANSWERS = {200, 400, 413}


@pytest.fixture
def unthrottled(settings: Any) -> None:
    """All the uploads of a test come within one minute of its frozen clock."""
    settings.EDGE_REQUESTS_PER_MINUTE = 10**9


@settings(many, max_examples=examples(500, nightly=5_000))
@given(envelope=envelopes)
def test_nearly_valid_uploads_are_never_a_fault_of_ours(agent: Agent, envelope: Any) -> None:
    answer = agent.send(json.dumps(envelope).encode())
    assert answer.status_code in ANSWERS
    if answer.status_code == 200:
        assert all(refusal["count"] >= 0 for refusal in answer.json()["refused"])


@many
@given(value=json_values)
def test_any_json_is_never_a_fault_of_ours(agent: Agent, value: Any) -> None:
    assert agent.send(json.dumps(value).encode()).status_code in ANSWERS
    assert agent.ack(value).status_code in ANSWERS


@many
@given(body=st.binary(max_size=200), cut=st.integers(0, 60), flip=st.integers(0, 2**16))
def test_any_bytes_are_never_a_fault_of_ours(agent: Agent, body: bytes, cut: int, flip: int) -> None:
    assert agent.send(body).status_code in ANSWERS
    assert agent.zipped(body).status_code in ANSWERS
    packed = bytearray(gzip.compress(b'{"batches": []}')[: cut or None])
    packed[flip % len(packed)] ^= 1 + flip % 255
    assert agent.zipped(bytes(packed)).status_code in ANSWERS


@settings(many, max_examples=examples(500, nightly=5_000))
@given(
    at=st.lists(st.integers(NOW_MS - 10**6, NOW_MS), min_size=1, max_size=5, unique=True),
    data=st.data(),
    noise=st.lists(batches | json_values, max_size=3),
)
def test_what_is_accepted_can_be_read_whatever_stands_beside_it(
    agent: Agent, readings: Reader, at: list[int], data: Any, noise: list[Any]
) -> None:
    values = data.draw(st.lists(numbers, min_size=len(at), max_size=len(at)))
    good = {"source": "egauge", "timestamps": at, "fields": {"precious": values, "bad": ["x"]}}
    answer = agent.send(json.dumps({"batches": [*without_constants(noise), good]}).encode())
    assert answer.status_code == 200
    expected = {stamp: value for stamp, value in zip(at, values, strict=True) if value is not None}
    assert answer.json()["stored"] >= len(expected)
    stored = readings("precious")
    assert {stamp: stored[stamp] for stamp in expected} == expected


def without_constants(noise: list[Any]) -> list[Any]:
    """Without NaN and the infinities, which are no JSON: they make the whole upload malformed."""
    return json.loads(json.dumps(noise), parse_constant=lambda _: None)  # type: ignore[no-any-return]


@settings(many, max_examples=examples(100, nightly=1_000))
@given(
    type_=st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=64).filter(
        lambda text: text != "STATE" and text.isprintable()
    ),
    data=st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    ),
)
def test_accepted_events_come_back_as_they_were(agent: Agent, type_: str, data: dict[str, Any]) -> None:
    Event.objects.all().delete()
    happened = {"timestamp": NOW_MS, "type": type_, "data": data}
    assert agent.upload(events=[happened]).json() == {"stored": 0, "events": 1, "refused": []}
    stored = Event.objects.get()
    assert stored.type == type_
    assert stored.data.keys() == data.keys()
    # PostgreSQL writes 1e16 out as an integer, which is the same number.
    assert all(type(sent)(stored.data[key]) == sent for key, sent in data.items())


def test_nothing_malformed_is_stored(agent: Agent) -> None:
    good = json.dumps({"source": "egauge", "timestamps": [NOW_MS], "fields": {"a": [1]}})
    for body in (f'{{"batches": [{good}, NaN]}}', f'{{"batches": [{good}]', f'{{"batches": [{good}]}}}}'):
        assert agent.send(body.encode()).status_code == 400
    assert not Tail.objects.exists()
