import json
import logging
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from collectors.agent.bundle import Bundle
from collectors.agent.client import Client
from collectors.agent.configuration import Configurer
from collectors.agent.fleet import Fault
from tests.collectors.agent.desk import KEY, Desk, wait_until


class Applied:
    """Notes what was put to use, and answers with the faults that the test asks for."""

    def __init__(self) -> None:
        self.lists: list[list[Any]] = []
        self.faults: list[Fault] = []

    def __call__(self, devices: Iterable[Any]) -> list[Fault]:
        self.lists.append(list(devices))
        return self.faults


@pytest.fixture
def applied() -> Applied:
    return Applied()


@pytest.fixture
def configurer(desk: Desk, tmp_path: Path, applied: Applied) -> Configurer:
    return another(desk, tmp_path, applied)


def another(desk: Desk, tmp_path: Path, applied: Applied, **changes: Any) -> Configurer:
    client = Client(Bundle(**{**desk.bundle, **changes}), timeout=2)
    return Configurer(client, tmp_path / "config.json", applied, interval=0.05)


A, B = {"name": "a", "secret": "hush-hush"}, {"name": "b"}


def test_a_configuration_is_used_kept_and_acknowledged(
    desk: Desk, configurer: Configurer, applied: Applied, tmp_path: Path
) -> None:
    desk.configure(A, B)
    applied.faults = [Fault(device="b", message="ip: is required")]
    assert configurer.follow()
    assert applied.lists == [[A, B]]
    assert desk.acks == [{"version": 2, "errors": [{"device": "b", "message": "ip: is required"}]}]
    assert configurer.version() == 2
    assert stat.S_IMODE((tmp_path / "config.json").stat().st_mode) == 0o600
    assert desk.authorizations == {f"Bearer {KEY}"}


def test_an_unchanged_one_travels_once(desk: Desk, configurer: Configurer, applied: Applied) -> None:
    desk.configure(A)
    assert [configurer.follow() for _ in range(3)] == [True] * 3
    assert desk.config_statuses == [200, 304, 304]
    assert len(applied.lists) == len(desk.acks) == 1


def test_a_new_version_is_followed(desk: Desk, configurer: Configurer, applied: Applied) -> None:
    desk.configure(A)
    configurer.follow()
    desk.configure(A, B)
    configurer.follow()
    assert applied.lists == [[A], [A, B]]
    assert [ack["version"] for ack in desk.acks] == [2, 3]


def test_without_network_the_last_configuration_is_used(desk: Desk, tmp_path: Path, applied: Applied) -> None:
    desk.configure(A)
    another(desk, tmp_path, applied).follow()
    offline = another(desk, tmp_path, applied, url="http://127.0.0.1:9")
    offline.start()
    wait_until(lambda: len(applied.lists) == 2)
    offline.stop()
    offline.join(5)
    assert applied.lists[1] == [A]
    assert offline.version() == 2


def test_after_a_restart_it_need_not_be_sent_again(desk: Desk, tmp_path: Path, applied: Applied) -> None:
    desk.configure(A)
    another(desk, tmp_path, applied).follow()
    restarted = another(desk, tmp_path, applied)
    restarted.start()
    wait_until(lambda: len(desk.acks) == 2)
    restarted.stop()
    restarted.join(5)
    assert desk.config_statuses[1] == 304
    assert desk.acks[1]["version"] == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"etag": 1}'])
def test_a_spoilt_file_is_replaced_by_the_servers(
    desk: Desk, tmp_path: Path, applied: Applied, content: bytes
) -> None:
    (tmp_path / "config.json").write_bytes(content)
    desk.configure(A)
    follower = another(desk, tmp_path, applied)
    follower.start()
    wait_until(lambda: desk.acks)
    follower.stop()
    follower.join(5)
    assert json.loads((tmp_path / "config.json").read_bytes())["configuration"]["devices"] == [A]


@pytest.mark.parametrize(
    "answer",
    [
        (401, b"{}"),
        (500, b""),
        (200, b"<html>"),
        (200, b'{"version": 9}'),
        (200, b'{"devices": []}'),
        (301, b""),
    ],
)
def test_whatever_else_the_server_says_the_old_stays(
    desk: Desk,
    configurer: Configurer,
    applied: Applied,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, bytes],
) -> None:
    desk.configure(A)
    configurer.follow()
    good = desk.config
    caplog.clear()
    monkeypatch.setattr(desk, "config", lambda _: (answer[0], {}, answer[1]))
    with caplog.at_level(logging.INFO):
        assert [configurer.follow() for _ in range(3)] == [False] * 3
        monkeypatch.setattr(desk, "config", good)
        assert configurer.follow()
    assert applied.lists == [[A]]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert KEY not in caplog.text
    assert "hush-hush" not in caplog.text
