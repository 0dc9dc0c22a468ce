"""`Dockerfile` and `compose.yaml`: what they name exists, and what they run starts with outside servers."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import requests
import yaml
from django.conf import settings
from redis import Redis

from config.embedded import free_port
from config.processes import wait_until
from tests.config.processes import ROOT, clean_environment
from tests.environment import own_redis_url

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
OURS = ("prepare", "web", "worker", "jobs", "beat")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.+)$", DOCKERFILE, re.MULTILINE)


def command(service: str) -> list[str]:
    """What a service of ours runs; the image's own command for the web server."""
    default = yaml.safe_load(instructions("CMD")[-1])
    argv: list[str] = SERVICES[service].get("command", default)
    return argv


def test_the_image_copies_what_exists_and_is_let_through() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    copied = {word for line in instructions("COPY") for word in shlex.split(line)[:-1]}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_installs_by_hash_builds_nothing_and_runs_as_nobody_special() -> None:
    [install] = [line for line in instructions("RUN") if "pip install" in line]
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in install
    assert "apt-get" not in DOCKERFILE
    assert instructions("USER") == ["wattdesk"]
    assert DOCKERFILE.index("\nUSER") > DOCKERFILE.index("\nCOPY static")


def test_images_are_stock_ones_named_without_a_host() -> None:
    images = {service["image"] for service in SERVICES.values()} | set(instructions("FROM"))
    assert images == {"postgres:18", "redis:8", "wattdesk", "python:3.11-slim"}


def test_only_the_web_is_reachable_and_only_from_this_machine_unless_told() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"web"}
    assert SERVICES["web"]["ports"] == ["${LISTEN:-127.0.0.1:8000}:8000"]


def test_nothing_starts_before_the_tables_are_made() -> None:
    for name in ("web", "worker", "jobs", "beat"):
        assert SERVICES[name]["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
    assert SERVICES["prepare"]["restart"] == "no"
    assert SERVICES["prepare"]["depends_on"].keys() == {"postgres", "redis"}


def test_every_service_that_runs_on_is_watched() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == SERVICES.keys() - {
        "prepare"
    }


def test_the_example_names_every_variable_without_a_default() -> None:
    needed = set(re.findall(r"\$\{(\w+):\?\}", (ROOT / "compose.yaml").read_text()))
    example = (ROOT / "compose.env.example").read_text()
    assert needed == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    known = set(re.findall(r"\$\{(\w+):", (ROOT / "compose.yaml").read_text()))
    assert known - set(re.findall(r"^(?:# )?(\w+)=", example, re.MULTILINE)) == {"BEHIND_PROXY"}


def test_what_is_kept_is_on_volumes() -> None:
    assert COMPOSE["volumes"].keys() == {"postgres", "redis", "var"}
    assert instructions("VOLUME") == ["/var/lib/wattdesk"]
    assert all(SERVICES[name]["volumes"] == ["var:/var/lib/wattdesk"] for name in OURS)


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_compose_itself_takes_the_file() -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:  # noqa: S607
        pytest.skip("docker has no compose plugin")
    values = dict.fromkeys(("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY", "FIELD_KEYS"), "x")
    environment = {**os.environ, **values, "PUBLIC_URL": "https://wattdesk.example.org"}
    subprocess.run(["docker", "compose", "config", "--quiet"], cwd=ROOT, env=environment, check=True)  # noqa: S607


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of an empty database on the tests' PostgreSQL."""
    own = settings.DATABASES["default"]
    password = quote(str(own["PASSWORD"]), safe="")
    server = f"postgresql://{own['USER']}:{password}@{own['HOST']}:{own['PORT']}"
    name = f"containers_{os.getpid()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def environment(database: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """As compose.yaml sets it, with the tests' servers."""
    redis = own_redis_url(2)
    names = SERVICES["web"]["environment"].keys()
    values = {
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "SECRET_KEY": "a-key-for-tests-that-is-long-enough-to-be-accepted",
        "FIELD_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "PUBLIC_URL": "https://wattdesk.example.org",
        "BEHIND_PROXY": "1",
        "EMAIL_URL": "consolemail://",
        "DEFAULT_FROM_EMAIL": "wattdesk@localhost",
    }
    assert values.keys() == names
    yield clean_environment(
        **values,
        WATTDESK_BOOTSTRAP="off",
        WATTDESK_VAR=str(tmp_path / "var"),
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    )
    with Redis.from_url(redis) as client:
        client.flushdb()


@pytest.mark.slow
def test_every_process_starts_with_servers_elsewhere(environment: dict[str, str]) -> None:
    (Path(environment["WATTDESK_VAR"])).mkdir()
    subprocess.run(command("prepare"), cwd=ROOT, env=environment, check=True, capture_output=True)
    port = free_port()
    web = [word.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for word in command("web")]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(argv, cwd=ROOT, env=environment))
            for argv in (web, command("worker"), command("jobs"), command("beat"))
        ]
        try:
            assert wait_until(lambda: _components(port) == {"ok"}, seconds=60)
            _watch("web", environment, port)
            for name in ("worker", "jobs", "beat"):
                _watch(name, environment, port)
        finally:
            for process in processes:
                process.terminate()
    assert not (Path(environment["WATTDESK_VAR"]) / "postgres").exists()


def _components(port: int) -> set[str]:
    """The distinct states that the web server tells of its components."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/health/", timeout=5)
    except requests.RequestException:
        return set()
    return set(answer.json()["components"].values())


def _watch(service: str, environment: dict[str, str], port: int) -> None:
    """Run a service's own health check."""
    kind, *argv = SERVICES[service]["healthcheck"]["test"]
    assert kind == "CMD"
    argv = [word.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for word in argv]
    subprocess.run(argv, cwd=ROOT, env=environment, check=True, timeout=60)
