"""What is refused as a whole, and what an agent learns from it."""

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from django.core.cache import cache
from django.db import InterfaceError, OperationalError

from apps.devices.edge import ingest
from apps.devices.edge.body import LIMIT, MOST_BATCHES, MOST_MEMBERS, MalformedError, TooLargeError, inflate
from apps.devices.models import Device, Event
from apps.houses import credentials
from apps.houses.models import House
from apps.readings.models import Tail
from tests.devices.conftest import NOW_MS, Agent, Reader, batch

pytestmark = pytest.mark.django_db


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b"{}",
        b'{"batches": null}',
        b'{"batches": {}}',
        b'{"batches": "[]"}',
        b'{"events": []}',
        b'{"batches": []} x',
        b'{"batches": [NaN]}',
        b'{"batches": [{"source": "egauge", "timestamps": [1], "fields": {"a": [NaN]}}]}',
        b'{"batches": [{"source": "egauge", "timestamps": [1], "fields": {"a": [Infinity]}}]}',
        b'{"batches": ["\xff"]}',
        b'{"batches": [], "note": "\xed\xa0\x80"}',
        '{"batches": []}'.encode("utf-16"),
        b'{"batches": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b'{"batches": [], "agent": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    ],
)
def test_an_envelope_that_cannot_be_opened_is_malformed(agent: Agent, body: bytes) -> None:
    assert error(agent.send(body)) == (400, "malformed")


def test_a_heartbeat_is_an_upload_of_nothing(agent: Agent) -> None:
    answer = agent.upload()
    assert answer.status_code == 200
    assert answer.json() == {"stored": 0, "events": 0, "refused": []}


def test_an_upload_may_be_gzipped(agent: Agent, egauge: Any, noon: Any, readings: Reader) -> None:
    body = json.dumps({"batches": [batch(a=[1.5])]}).encode()
    assert agent.zipped(gzip.compress(body)).json()["stored"] == 1
    assert readings("a") == {NOW_MS: 1.5}


def test_another_encoding_is_malformed(agent: Agent) -> None:
    assert error(agent.send(b"{}", **{"Content-Encoding": "br"})) == (400, "malformed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not gzip",
        gzip.compress(b'{"batches": []}')[:-3],
        gzip.compress(b'{"batches": []}') + b"garbage",
        gzip.compress(b'{"batches": []}')[:-8] + b"12345678",
        zlib.compress(b'{"batches": []}'),
    ],
    ids=["empty", "text", "cut", "garbage after", "wrong checksum", "zlib"],
)
def test_a_damaged_gzip_body_is_malformed(agent: Agent, body: bytes) -> None:
    assert error(agent.zipped(body)) == (400, "malformed")


def test_a_body_over_the_limit_is_too_large(agent: Agent) -> None:
    assert error(agent.send(b'{"batches": []}' + b" " * LIMIT)) == (413, "too_large")


def test_a_body_of_just_the_limit_is_taken(agent: Agent) -> None:
    assert agent.send(b'{"batches": []}'.ljust(LIMIT)).status_code == 200


def test_a_gzip_bomb_is_too_large(agent: Agent) -> None:
    assert error(agent.zipped(gzip.compress(b" " * 1_000_000_000, 1))) == (413, "too_large")


def test_too_many_batches_are_too_large_so_that_the_agent_halves_them(agent: Agent) -> None:
    body = b'{"batches": [' + b"{}," * MOST_BATCHES + b"{}]}"
    assert error(agent.send(body)) == (413, "too_large")


def test_too_many_events_are_too_large_and_nothing_is_stored(
    agent: Agent, egauge: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MOST_EVENTS", 3)
    event = {"type": "PING", "timestamp": NOW_MS}
    flips = batch(at=[NOW_MS - 2, NOW_MS - 1], states={"on": [True, False]}, P=[1, 2])
    answer = agent.upload(flips, events=[event, {**event, "timestamp": NOW_MS + 1}])
    assert error(answer) == (413, "too_large")
    assert not Event.objects.exists()
    assert not Tail.objects.exists()
    steady = batch(at=[NOW_MS + step for step in range(9)], states={"on": [True] * 9})
    assert agent.upload(steady, events=[event] * 2).status_code == 200


def test_inflating_a_bomb_takes_no_more_memory_than_the_limit_needs() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 1)
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        inflate(bomb, limit=1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_members_are_joined_and_zeros_after_them_ignored() -> None:
    assert inflate(gzip.compress(b"ab") + gzip.compress(b"") + gzip.compress(b"cd") + b"\0" * 9) == b"abcd"


def test_members_together_are_held_to_the_limit() -> None:
    with pytest.raises(TooLargeError):
        inflate(gzip.compress(b"a" * 600) * 2, limit=1_000)


def test_a_member_larger_than_a_chunk_is_whole() -> None:
    content = bytes(range(256)) * 4_000
    assert inflate(gzip.compress(content, 0)) == content


def test_many_tiny_members_are_refused_instead_of_copied_around() -> None:
    with pytest.raises(MalformedError):
        inflate(gzip.compress(b"") * (MOST_MEMBERS + 1))


class TestAccess:
    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer ", "Token abc", "Bearer nö", "Basic YTpi"]
    )
    def test_without_a_key_there_is_no_access(self, db: None, client: Any, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}
        answer = client.post("/api/v1/edge/readings/", b"{}", "application/json", headers=headers)
        assert error(answer) == (401, "unauthorized")
        assert answer["WWW-Authenticate"].startswith("Bearer")

    def test_an_unknown_key_opens_nothing(self, db: None) -> None:
        stranger = Agent("x" * 43)
        for answer in (stranger.upload(), stranger.config(), stranger.ack({"version": 0})):
            assert error(answer) == (401, "unauthorized")

    def test_a_revoked_key_opens_nothing(self, agent: Agent, house_a: House) -> None:
        credentials.revoke(credential=house_a.credentials.get())
        for answer in (agent.upload(), agent.config(), agent.ack({"version": 0})):
            assert error(answer) == (401, "unauthorized")

    def test_a_key_of_another_house_reaches_only_that_house(
        self, other_agent: Agent, egauge: Any, noon: Any, readings: Reader
    ) -> None:
        answer = other_agent.upload(batch(a=[1]))
        assert answer.json()["refused"][0]["code"] == "unknown_source"
        assert other_agent.config().json()["devices"] == []
        assert readings("a") == {}

    def test_a_key_of_a_deleted_house_opens_nothing(self, agent: Agent, house_a: House) -> None:
        assert agent.upload().status_code == 200
        House.objects.filter(pk=house_a.pk).delete()
        assert error(agent.upload(batch(a=[1]))) == (401, "unauthorized")

    def test_a_logged_in_person_is_no_agent(self, alice: Any, as_user: Any) -> None:
        answer = as_user(alice).post("/api/v1/edge/readings/", b'{"batches": []}', "application/json")
        assert error(answer) == (401, "unauthorized")

    def test_only_the_right_methods_are_answered(self, agent: Agent, client: Any) -> None:
        headers = {"Authorization": f"Bearer {agent.key}"}
        assert client.get("/api/v1/edge/readings/", headers=headers).status_code == 405


class TestThrottle:
    def test_too_many_requests_are_asked_to_wait(self, agent: Agent, settings: Any, noon: Any) -> None:
        settings.EDGE_REQUESTS_PER_MINUTE = 2
        assert [agent.upload().status_code for _ in range(2)] == [200, 200]
        answer = agent.upload()
        assert error(answer) == (429, "throttled")
        assert 0 < int(answer["Retry-After"]) <= 60

    def test_requests_are_counted_in_lots_and_never_over_the_limit(
        self, agent: Agent, settings: Any, noon: Any
    ) -> None:
        settings.EDGE_REQUESTS_PER_MINUTE = 150  # lots of two
        answers = [agent.ack(None).status_code for _ in range(152)]
        assert answers == [400] * 150 + [429] * 2

    def test_processes_share_the_count(self, agent: Agent, settings: Any, noon: Any) -> None:
        settings.EDGE_REQUESTS_PER_MINUTE = 2
        assert agent.upload().status_code == 200
        caller = hashlib.sha256(agent.key.encode()).hexdigest()[:16]
        cache.incr(f"edge:{caller}:{NOW_MS // 60_000}", 1)  # another process
        assert agent.upload().status_code == 429

    def test_one_key_does_not_hold_up_another(
        self, agent: Agent, other_agent: Agent, settings: Any, noon: Any
    ) -> None:
        settings.EDGE_REQUESTS_PER_MINUTE = 1
        assert agent.upload().status_code == 200
        assert agent.upload().status_code == 429
        assert other_agent.upload().status_code == 200

    def test_the_next_minute_counts_anew(self, agent: Agent, settings: Any, noon: Any) -> None:
        settings.EDGE_REQUESTS_PER_MINUTE = 1
        agent.upload()
        noon.shift(60)
        assert agent.upload().status_code == 200

    def test_without_a_cache_nobody_is_held_up(self, agent: Agent, settings: Any, no_cache: None) -> None:
        settings.EDGE_REQUESTS_PER_MINUTE = 0
        assert agent.upload().status_code == 200


class TestDatabaseAway:
    @pytest.mark.parametrize("failure", [OperationalError, InterfaceError])
    def test_the_agent_is_told_to_come_back(
        self, agent: Agent, egauge: Any, noon: Any, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
    ) -> None:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise failure("the server closed the connection unexpectedly")

        monkeypatch.setattr("apps.readings.store.append", fail)
        answer = agent.upload(batch(a=[1]))
        assert error(answer) == (503, "unavailable")
        assert int(answer["Retry-After"]) > 0

    def test_so_it_is_when_the_key_cannot_be_looked_up(
        self, agent: Agent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr("apps.houses.credentials.verify", fail)
        for answer in (agent.upload(), agent.config(), agent.ack({"version": 0})):
            assert error(answer) == (503, "unavailable")


def test_the_key_is_in_no_log(agent: Agent, egauge: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    agent.send(b"{")
    agent.upload(batch(a=["x"]))
    assert agent.key not in caplog.text
