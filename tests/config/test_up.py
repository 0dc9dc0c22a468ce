"""`manage.py up` as a whole: one start serves several questions, as each start migrates a database."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import get_finder
from django.core.management import CommandError
from pytest_django import Settings

from apps.desk import running
from config.embedded import free_port
from config.keeper import Services
from config.layout import Layout
from config.processes import wait_until
from tests.config.installations import Installation, all_gone, family, manage
from tests.config.processes import ROOT, assert_none_left, belonging_to, clean_environment, kill

pytestmark = pytest.mark.slow

LATE_QUERY = """
import sys
from django.db import connection
print("open", flush=True)
sys.stdin.read()
connection.ensure_connection()
print("usable")
"""


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the static files of the first `up` are kept for the others, which saves them seconds."""
    return tmp_path_factory.mktemp("collected") / "static"


@pytest.fixture
def up(tmp_path: Path, static: Path) -> Iterator[Installation]:
    var = tmp_path / "var"
    if static.exists():
        shutil.copytree(static, var / "static")
    command = Installation("up", var, free_port())
    assert command.says(f"answers at {command.url}"), command.output
    if not static.exists():
        shutil.copytree(var / "static", static)
    yield command
    if command.process.poll() is None:
        command.process.terminate()
        command.wait()
    assert_none_left(tmp_path)


def each(up: Installation) -> dict[str, set[int]]:
    """The pids of its children."""
    jobs = up.children("celery", "jobs@%h")
    workers = up.children("celery", "worker") - jobs
    return {
        "web": up.children("gunicorn"),
        "worker": workers,
        "jobs": jobs,
        "beat": up.children("celery", "beat"),
    }


def test_sigterm_stops_web_worker_beat_and_servers(up: Installation) -> None:
    pids = family(up.process.pid)
    assert {name: len(found) for name, found in each(up).items()} == {
        "web": 1,
        "worker": 1,
        "jobs": 1,
        "beat": 1,
    }

    up.process.terminate()

    assert up.wait() == 143
    assert all_gone(pids - {up.process.pid})
    assert not belonging_to(up.var)


def test_a_killed_up_leaves_nobody(up: Installation) -> None:
    pids = family(up.process.pid)

    kill(up.process.pid)

    up.wait()
    assert wait_until(lambda: all_gone(pids), seconds=10)
    assert_none_left(up.var)


def test_killed_children_come_back_and_a_second_up_is_refused(up: Installation) -> None:
    same_port = manage(up.var, "up", "--port", str(up.port))
    other_port = manage(up.var, "up", "--port", str(free_port()))
    for second in (same_port, other_port):
        said, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert f"runs here already (pid {up.process.pid}, port {up.port})" in said
    old = each(up)

    for pids in old.values():
        kill(*pids)

    for name, pids in old.items():
        assert wait_until(lambda n=name, p=pids: bool(each(up)[n] - p), seconds=30)  # type: ignore[misc]
    assert wait_until(up.answers, seconds=60)


def test_a_killed_postgres_is_survived_and_a_killed_keeper_ends_all_in_a_sentence(up: Installation) -> None:
    services = Services.read(Layout(up.var))

    kill(services.postgres_pid)
    assert wait_until(lambda: Services.read(Layout(up.var)).postgres_pid != services.postgres_pid, seconds=30)
    assert wait_until(up.answers, seconds=60)

    pids = family(up.process.pid)
    kill(services.keeper_pid)
    assert up.wait() == 1
    assert "The process that runs PostgreSQL and valkey ended" in up.output
    assert "Traceback" not in up.output.split("The process that runs")[1]
    assert wait_until(lambda: all_gone(pids - {up.process.pid}), seconds=30)


def test_one_off_commands_share_the_servers_and_keep_them(up: Installation) -> None:
    shell = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-v0", "-c", LATE_QUERY],
        cwd=ROOT,
        env=clean_environment(WATTDESK_VAR=str(up.var)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None
    assert shell.stdout.readline() == "open\n"

    up.process.send_signal(signal.SIGINT)

    assert up.wait() == 130
    output, _ = shell.communicate(timeout=30)
    assert output == "usable\n"


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = manage(tmp_path / "var", "up", "--port", str(port))
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert re.search(
        rf"Cannot listen on 127\.0\.0\.1, port {port}: .* Choose another one with --port\.", said
    )
    assert "Traceback" not in said
    assert_none_left(tmp_path)


def test_a_port_that_does_not_exist_is_a_sentence() -> None:
    with pytest.raises(CommandError, match="port 80000: there is no such port"):
        running.check_port("127.0.0.1", 80_000)


@pytest.mark.parametrize("url", ["nonsense", "sqlite:///{folder}/other.db"])
def test_a_database_that_is_no_postgresql_is_a_sentence(tmp_path: Path, url: str) -> None:
    others = {"DATABASE_URL": url.format(folder=tmp_path), "REDIS_URL": os.environ["REDIS_URL"]}
    process = manage(tmp_path / "var", "up", "--port", str(free_port()), **others)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "CommandError: DATABASE_URL must name a PostgreSQL" in said
    assert "Traceback" not in said


def test_with_servers_of_ones_own_nothing_is_kept_in_var(tmp_path: Path) -> None:
    urls = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    process = manage(tmp_path / "var", "shell", "-v0", "-c", "print('fine')", **urls)

    said, _ = process.communicate(timeout=60)

    assert said == "fine\n"
    assert not (tmp_path / "var" / "postgres").exists()


def test_static_files_are_collected_again_only_when_one_changed(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    source.mkdir()
    (source / "a.css").write_text("a {}")
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [source], root
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    get_finder.cache_clear()
    ran: list[str] = []
    monkeypatch.setattr(running, "call_command", lambda name, **_: ran.append(name))

    for _ in range(2):
        running.collect_static(root)
    assert ran == ["collectstatic"]

    (source / "b.css").write_text("b {}")
    running.collect_static(root)
    assert ran == ["collectstatic"] * 2
    get_finder.cache_clear()
