import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests

from collectors.agent.bundle import Bundle
from collectors.agent.client import Client
from collectors.agent.spool import Spool
from collectors.agent.timekeeping import Timekeeper
from collectors.agent.uploader import Uploader, retry_after
from collectors.http import Answer
from tests.collectors.agent.conftest import reading
from tests.collectors.agent.desk import KEY, Desk, wait_until

Start = Callable[..., Uploader]


@pytest.fixture
def start(desk: Desk, spool: Spool, timekeeper: Timekeeper) -> Iterator[Start]:
    running: list[Uploader] = []

    def begin(**options: Any) -> Uploader:
        client = Client(Bundle(**desk.bundle), timeout=options.pop("timeout", 5.0))
        parts = (options.pop("spool", spool), client, options.pop("timekeeper", timekeeper))
        pace = {"heartbeat": 60.0, "longest_pause": 0.05, "commands_wait": lambda: None, **options}
        running.append(Uploader(*parts, config_version=lambda: 4, **pace))
        running[-1].start()
        return running[-1]

    yield begin
    for uploader in running:
        uploader.stop()
        uploader.join(5)
        assert not uploader.is_alive()


def stamps(desk: Desk) -> list[int]:
    return [timestamp - 1_790_000_000_000 for timestamp, _ in desk.readings("egauge")]


class TestDelivery:
    def test_what_waits_is_delivered_in_columns_and_then_forgotten(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        spool.add([reading(n) for n in range(3)])
        start()
        wait_until(lambda: not len(spool))
        (batch,) = desk.uploads[0]["batches"]
        assert batch["source"] == "egauge"
        assert batch["fields"] == {"x": [0.0, 1.0, 2.0]}

    def test_who_fetches_commands_is_told_that_some_wait(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        told = threading.Event()
        uploader = start(commands_wait=told.set)
        wait_until(lambda: desk.uploads)
        assert not told.is_set()
        desk.answers = [(200, {}, b'{"stored": 1, "events": 0, "refused": [], "commands": true}')]
        spool.add([reading(1)])
        assert told.wait(5)
        assert uploader.is_alive()

    def test_a_new_reading_is_delivered_within_a_second(self, desk: Desk, spool: Spool, start: Start) -> None:
        start()
        wait_until(lambda: desk.uploads)
        begun = time.monotonic()
        spool.add([reading(1)])
        wait_until(lambda: stamps(desk))
        assert time.monotonic() - begun < 1.5

    def test_the_key_is_sent_and_the_agent_tells_of_itself(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        spool.add([reading(1)])
        start()
        about = wait_until(lambda: desk.uploads)[0]["agent"]
        assert about.keys() == {"version", "sent_at", "spool", "spool_bound", "config_version"}
        assert about["spool"] == 1
        assert about["config_version"] == 4
        assert abs(about["sent_at"] - time.time() * 1000) < 10_000

    def test_a_backlog_is_delivered_in_several_uploads_in_order(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        spool.add([reading(n) for n in range(4_500)])
        start()
        wait_until(lambda: not len(spool))
        assert stamps(desk) == list(range(4_500))
        assert len(desk.uploads) == 3

    def test_heartbeats_are_empty_uploads(self, desk: Desk, start: Start) -> None:
        start(heartbeat=0.1)
        wait_until(lambda: len(desk.uploads) >= 3)
        assert desk.uploads[2]["batches"] == []
        assert desk.uploads[2]["agent"]["spool"] == 0


def failing(status: int, headers: dict[str, str] | None = None, body: bytes = b"{}") -> Any:
    return status, headers or {}, body


class TestKeeping:
    @pytest.mark.parametrize(
        "answer",
        [
            failing(401),
            failing(403),
            failing(404),
            failing(429),
            failing(500),
            failing(503),
            failing(302, {"Location": "/elsewhere"}),
            failing(200, body=b"<html>Welcome to this hotel</html>"),
            failing(200, body=b"[]"),
            failing(200, body=b"{}"),
            failing(200, body=b'{"stored": 1'),
            failing(200, {"Content-Encoding": "gzip"}, b"no gzip"),
        ],
        ids=lambda answer: f"{answer[0]} {answer[2].decode()[:12]}",
    )
    def test_everything_is_kept_until_it_is_stored(
        self, desk: Desk, spool: Spool, start: Start, answer: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk.answers = [answer, answer, answer]
        spool.add([reading(1), reading(2)])
        with caplog.at_level(logging.INFO):
            start()
            wait_until(lambda: len(caplog.records) >= 2)
        assert stamps(desk) == [1, 2]
        assert len(desk.attempts) == 4
        assert len(spool) == 0
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        assert KEY not in caplog.text
        assert spool.dead() == []

    def test_a_server_that_hangs_is_given_up_and_tried_again(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        released = threading.Event()
        desk.answers = [lambda: (released.wait(5), failing(200))[1]]
        spool.add([reading(1)])
        start(timeout=0.2)
        wait_until(lambda: not len(spool))
        released.set()
        assert stamps(desk) == [1]

    def test_a_server_that_is_away_is_awaited(self, spool: Spool, timekeeper: Timekeeper) -> None:
        spool.add([reading(1)])
        nowhere = Bundle(house="demo", url="http://127.0.0.1:9", key=KEY)
        uploader = Uploader(
            spool,
            Client(nowhere),
            timekeeper,
            config_version=lambda: None,
            commands_wait=lambda: None,
            longest_pause=0.05,
        )
        uploader.start()
        time.sleep(0.5)
        uploader.stop()
        uploader.join(5)
        assert len(spool) == 1

    def test_retry_after_is_kept_to(self, desk: Desk, spool: Spool, start: Start) -> None:
        desk.answers = [failing(429, {"Retry-After": "1"})]
        spool.add([reading(1)])
        start()
        wait_until(lambda: not len(spool))
        assert desk.attempts[1] - desk.attempts[0] >= 1

    def test_pauses_grow(self, desk: Desk, spool: Spool, start: Start) -> None:
        desk.answers = [failing(503)] * 2
        spool.add([reading(1)])
        start(longest_pause=60.0)
        wait_until(lambda: not len(spool))
        first, second, third = desk.attempts
        assert second - first >= 0.5
        assert third - second >= 1.0


class TestTime:
    def test_until_a_server_has_said_the_time_nothing_but_heartbeats_is_sent(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        machine = Timekeeper(clock=lambda: 5.0, since_boot=lambda: 2.0)
        for n in range(3):
            stamp = machine.place(5_000 + n)
            spool.add([reading(0)._replace(timestamp=stamp.timestamp, basis=stamp.basis)])
        desk.answers = [failing(503)] * 2
        start(timekeeper=machine)
        wait_until(lambda: not len(spool))
        assert [upload["batches"] for upload in desk.uploads[:1]] == [[]]
        first, second, third = [timestamp for timestamp, _ in desk.readings("egauge")]
        assert abs(first - time.time() * 1000) < 10_000
        assert (second - first, third - second) == (1, 1)
        assert desk.uploads[0]["agent"]["sent_at"] < 10_000

    def test_readings_without_any_time_are_kept_aside_with_a_warning(
        self, desk: Desk, tmp_path: Path, spool: Spool, start: Start
    ) -> None:
        spool.close()
        earlier = Spool(tmp_path / "spool.sqlite3", boot="earlier")
        earlier.add([reading(0)._replace(timestamp=5_000, basis=1)])
        earlier.close()
        now = Spool(tmp_path / "spool.sqlite3")
        start(spool=now)
        (event,) = wait_until(desk.events)
        assert "1 readings were taken before a restart" in event["data"]["data"]
        assert "source" not in event
        assert [reason for reason, _ in now.dead()] == ["time not known"]


class TestLoss:
    def test_rows_that_gave_way_are_told_as_one_event_once_the_server_answers(
        self, desk: Desk, tmp_path: Path, start: Start
    ) -> None:
        spool = Spool(tmp_path / "small.sqlite3", bound=3)
        desk.answers = [failing(503)] * 4
        start(spool=spool)
        for n in range(10):
            spool.add([reading(n)])
        wait_until(desk.events)
        event, warned = desk.events()
        assert [event["type"], warned["type"]] == ["SPOOL_LOST", "WARNING"]
        lost = sorted(set(range(10)) - set(stamps(desk)))
        data = {"count": len(lost), "from": reading(0).timestamp, "to": reading(lost[-1]).timestamp}
        assert event["data"] == data
        assert lost == list(range(len(lost)))
        assert f"its oldest {len(lost)} rows, read from 2026-09-21 14:13 UTC to" in warned["data"]["data"]
        wait_until(lambda: spool.loss(1) is None)

    def test_its_event_is_the_same_until_it_has_arrived(
        self, desk: Desk, tmp_path: Path, start: Start
    ) -> None:
        spool = Spool(tmp_path / "small.sqlite3", bound=1)
        spool.add([reading(1), reading(2)])
        attempts: list[Any] = []

        def lose_the_answer(upload: dict[str, Any]) -> Any:
            attempts.extend(upload["events"][:1])
            return failing(500) if upload["events"] and len(attempts) < 3 else None

        desk.always = lose_the_answer
        start(spool=spool, heartbeat=0.05)
        event, _ = wait_until(desk.events)
        assert len(attempts) == 3
        assert {json.dumps(one) for one in attempts} == {json.dumps(event)}


class TestRefusal:
    def test_refusals_are_told_to_the_server_as_the_agents_own_and_survive_a_restart(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        refused = {"source": "old", "field": "x", "code": "sealed", "message": "Too late.", "count": 1}
        desk.refused = [refused, {**refused, "source": None, "field": ""}]
        for _ in range(2):
            uploader = start()
            spool.add([reading(1, "old")])
            wait_until(lambda: not len(spool))
            uploader.stop()
            uploader.join(5)
        assert [(event.get("source"), event["data"]) for event in desk.events()] == [
            (None, {"data": "The server refuses old.x (sealed): Too late."})
        ]

    def test_a_spoilt_row_does_not_hold_up_the_others(self, desk: Desk, spool: Spool, start: Start) -> None:
        spool.add([reading(1), reading(2)._replace(body=b"{spoilt"), reading(3)])
        start()
        wait_until(lambda: not len(spool))
        assert stamps(desk) == [1, 3]
        assert spool.dead() == [("spoilt", b"{spoilt")]

    def test_a_damaged_spool_is_told_of(self, desk: Desk, tmp_path: Path, start: Start) -> None:
        (tmp_path / "bad.sqlite3").write_bytes(b"nonsense" * 1_000)
        start(spool=Spool(tmp_path / "bad.sqlite3"))
        (event,) = wait_until(desk.events)
        assert "damaged and is put aside as bad.sqlite3.damaged" in event["data"]["data"]

    def test_too_large_an_upload_is_halved_until_it_fits(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        def at_most_ten(upload: dict[str, Any]) -> Any:
            size = sum(len(batch["timestamps"]) for batch in upload["batches"])
            return failing(413) if size > 10 else None

        desk.always = at_most_ten
        spool.add([reading(n) for n in range(50)])
        start()
        wait_until(lambda: not len(spool))
        assert stamps(desk) == list(range(50))
        assert spool.dead() == []

    def test_one_row_that_is_too_large_does_not_hold_up_the_others(
        self, desk: Desk, spool: Spool, start: Start
    ) -> None:
        def not_the_third(upload: dict[str, Any]) -> Any:
            rows = [t for batch in upload["batches"] for t in batch["timestamps"]]
            return failing(413) if reading(3).timestamp in rows else None

        desk.always = not_the_third
        spool.add([reading(n) for n in range(6)])
        start()
        wait_until(lambda: not len(spool))
        assert stamps(desk) == [0, 1, 2, 4, 5]
        ((reason, letter),) = spool.dead()
        assert reason == "HTTP 413"
        assert json.loads(letter)["batches"][0]["timestamps"] == [reading(3).timestamp]

    def test_a_malformed_upload_becomes_a_dead_letter_with_one_warning(
        self, desk: Desk, spool: Spool, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        wait = start()
        wait_until(lambda: desk.uploads)
        desk.answers = [failing(400)]
        spool.add([reading(1)])
        wait_until(lambda: not len(spool))
        spool.add([reading(2)])
        wait_until(lambda: not len(spool))
        assert wait.is_alive()
        assert stamps(desk) == [2]
        assert [reason for reason, _ in spool.dead()] == ["HTTP 400"]
        assert [record.levelname for record in caplog.records].count("WARNING") == 1

    def test_refused_readings_become_dead_letters_and_are_told_once(
        self, desk: Desk, spool: Spool, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk.refused = [{"source": "old", "code": "disabled_source", "message": "switched off", "count": 1}]
        start()
        for n in range(3):
            spool.add([reading(n), reading(n, "old")])
            wait_until(lambda: not len(spool))
            spool.add([reading(100 + n)])
            wait_until(lambda: not len(spool))
        letters = [json.loads(body) for _, body in spool.dead()]
        assert letters[0]["refused"] == desk.refused
        assert letters[1]["batches"][0]["source"] == "old"
        assert caplog.text.count("disabled_source") == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("7", 7),
        ("99999999", 3600),
        ("soon", 0),
        ("-5", 0),
        (formatdate(1_790_000_030, usegmt=True), 30),
        (formatdate(1_780_000_000, usegmt=True), 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float) -> None:
    headers = requests.structures.CaseInsensitiveDict({"retry-after": text})
    assert retry_after(Answer(429, headers, b""), 1_790_000_000) == seconds
