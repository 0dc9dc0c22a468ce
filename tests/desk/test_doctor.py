"""`doctor`: each fault is found and named with a remedy; also the signs of life it goes by."""

from __future__ import annotations

import json
import shutil
import time
from collections import namedtuple
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from apps.alerts import rhythm
from apps.alerts.models import Watch
from apps.desk import doctor, pulse
from apps.desk.doctor import Finding
from apps.houses.models import House
from apps.jobs.models import Job
from apps.readings import store
from apps.readings.models import Dependency, Series, Source
from tests.environment import own_redis_url
from tests.readings.building import block

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.REDIS_URL = own_redis_url(1)  # where no worker and no other test speaks
    monkeypatch.setattr(pulse, "_given", {})
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
        yield
        redis.flushdb()


@pytest.fixture(autouse=True)
def var(settings: Settings, tmp_path: Path) -> Path:
    settings.VAR = tmp_path
    return tmp_path


@pytest.fixture
def alive() -> None:
    for name in pulse.NAMES:
        pulse.give(name)


def found(name: str, now: datetime | None = None) -> Finding:
    [finding] = doctor.examine(now or timezone.now(), [name])
    assert finding.check == name
    return finding


def source(house: House, name: str = "egauge", **more: Any) -> Source:
    return Source.objects.create(house=house, name=name, **more)


def deliver(to: Source, at: datetime) -> None:
    stamp = int(at.timestamp() * 1000)
    store.append([store.Upload(to.pk, (block("P", [stamp], [1.0]),))], received_at=at)


def arrives_every(source: Source, pause: timedelta, *, until: datetime) -> None:
    """Let it be known that the source used to arrive so, for a week, and last at `until`."""
    stamp, span = int(until.timestamp() * 1000), pause // timedelta(milliseconds=1)
    pauses = {stamp // rhythm.DAY - day: span for day in range(rhythm.DAYS)}
    Watch.objects.create(source=source, newest=stamp, heard_at=stamp, arrivals=100, pauses=pauses)


def run(*arguments: str) -> tuple[int, str]:
    output = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("doctor", *arguments, stdout=output)
    return int(exit_.value.code or 0), output.getvalue()


def test_a_well_installation_has_no_fault(alive: None, house_a: House) -> None:
    deliver(source(house_a), timezone.now())
    status, said = run()
    assert status == 0, said
    assert len(said.splitlines()) == len(doctor.CHECKS)
    assert "FAULT" not in said


def test_a_fault_is_one_line_with_a_remedy_and_status_1() -> None:
    status, said = run("worker")
    assert status == 1
    assert said.startswith("worker      FAULT  No worker gave a sign of life today. Start one: ")
    assert len(said.splitlines()) == 1


def test_json_tells_the_same_to_programs(alive: None) -> None:
    status, said = run("--json", "worker", "beat")
    assert status == 0
    assert [(one["check"], one["ok"], one["remedy"]) for one in json.loads(said)] == [
        ("worker", True, ""),
        ("beat", True, ""),
    ]


def test_a_check_that_does_not_exist_is_named() -> None:
    with pytest.raises(CommandError, match="no check 'werker'; there are: database, broker"):
        call_command("doctor", "werker")


def test_a_broker_that_is_down_hides_what_depends_on_it(settings: Settings) -> None:
    settings.REDIS_URL = "redis://:s3cret@127.0.0.1:1/0"
    findings = {one.check: one for one in doctor.examine(timezone.now())}
    assert "Redis does not answer" in findings["broker"].seen
    assert findings["worker"].seen == "Not looked at: the broker is away."
    assert findings["worker"].remedy == "See to the broker first."
    assert findings["database"].ok
    assert "s3cret" not in str(findings)


def test_a_check_asked_for_alone_finds_the_broker_down(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert found("beat").remedy == "See to the broker first."


def test_a_database_that_is_down_is_a_fault_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "PORT", 1)
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "s3cret-7391")
    findings = {
        one.check: one for one in doctor.examine(timezone.now(), ["database", "migrations", "secrets"])
    }
    assert "PostgreSQL does not answer" in findings["database"].seen
    assert not findings["migrations"].ok
    assert findings["secrets"].ok
    assert "s3cret-7391" not in str(findings)


@pytest.mark.parametrize("name", [pulse.WORKER, pulse.BEAT])
def test_a_sign_of_life_that_is_too_old_is_a_fault(alive: None, settings: Settings, name: str) -> None:
    assert found(name).ok
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.expire(f"wattdesk:pulse:{name}", pulse.KEPT_S - pulse.LATE_S - 5)
    assert not found(name).ok
    assert "65 s old" in found(name).seen


def test_a_process_says_that_it_lives_every_ten_seconds_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 1000.0
    monkeypatch.setattr(pulse.time, "monotonic", lambda: moment)
    with Redis.from_url(settings.REDIS_URL) as redis:
        pulse.give(pulse.BEAT)
        redis.flushdb()
        moment += pulse.EVERY_S - 1
        pulse.give(pulse.BEAT)
        assert pulse.ages()[pulse.BEAT] is None
        moment += 1
        pulse.give(pulse.BEAT)
        assert pulse.ages()[pulse.BEAT] is not None


def test_a_sign_of_life_without_redis_is_no_trouble(settings: Settings, caplog: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    pulse.give(pulse.WORKER)
    assert "No sign of life could be given" in caplog.text


def test_health_tells_of_worker_and_beat_and_stays_up_without_them(client: Client) -> None:
    silent = client.get("/health/")
    assert silent.status_code == 200
    assert silent.json()["components"]["worker"] == silent.json()["components"]["beat"] == "silent"
    pulse.give(pulse.WORKER)
    assert client.get("/health/").json()["components"] == {
        "database": "ok",
        "redis": "ok",
        "worker": "ok",
        "jobs": "silent",
        "beat": "silent",
    }


@pytest.mark.parametrize(
    ("queues", "names"),
    [
        (["celery"], {"worker"}),
        (["long"], {"jobs"}),
        (["celery", "long"], {"worker", "jobs"}),
        (["x"], set()),
    ],
)
def test_a_worker_lives_as_what_its_queues_make_it(
    monkeypatch: pytest.MonkeyPatch, queues: list[str], names: set[str]
) -> None:
    given: set[str] = set()
    monkeypatch.setattr(pulse, "give", given.add)
    monkeypatch.setattr(pulse.app.amqp.queues, "_consume_from", dict.fromkeys(queues))
    pulse.worker_lives()
    assert given == names


@pytest.mark.parametrize(("offset", "words"), [(90, "behind"), (-90, "ahead of")])
def test_a_clock_that_is_off_is_a_fault(monkeypatch: pytest.MonkeyPatch, offset: float, words: str) -> None:
    assert found("clock").ok
    real = time.time
    monkeypatch.setattr(doctor.time, "time", lambda: real() + offset)
    assert f"is 90 s {words} this machine's" in found("clock").seen
    assert "NTP" in found("clock").remedy


def test_migrations_that_are_missing_are_counted() -> None:
    assert found("migrations").ok
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'knox' AND name LIKE '0009%'")
        assert cursor.rowcount == 1
    assert "1 migrations are not applied" in found("migrations").seen
    assert "manage.py migrate" in found("migrations").remedy


def test_a_silent_source_is_named_with_its_house(house_a: House) -> None:
    now = timezone.now()
    meter = source(house_a)
    deliver(meter, now - timedelta(minutes=16))
    arrives_every(meter, timedelta(minutes=1), until=now - timedelta(minutes=16))
    assert found("sources", now).seen == "1 sources are silent: house-a/egauge."


def test_a_source_that_never_delivered_is_silent(house_a: House) -> None:
    source(house_a)
    assert not found("sources").ok


def test_a_source_that_uploads_once_a_day_may_say_nothing_for_a_day(house_a: House) -> None:
    now = timezone.now()
    slow = source(house_a, "linky")
    Series.objects.create(source=slow, field="P", cadence=1800)
    deliver(slow, now - timedelta(hours=23))
    arrives_every(slow, timedelta(days=1), until=now - timedelta(hours=23))
    assert found("sources", now).ok
    assert not found("sources", now + timedelta(hours=14)).ok


def test_what_is_computed_is_not_waited_for(house_a: House) -> None:
    meter, derived = source(house_a), source(house_a, "missing", namespace="meter")
    deliver(meter, timezone.now())
    Dependency.objects.create(source=derived, input=meter, before=0, after=0)
    source(house_a, "solar", namespace="analytics")
    assert found("sources").ok


def test_nobody_waits_for_what_is_disabled(house_a: House, house_b: House) -> None:
    source(house_a, enabled=False)
    source(house_b)
    House.objects.filter(pk=house_b.pk).update(enabled=False)
    assert found("sources").ok


def test_of_many_silent_sources_five_are_named(house_a: House) -> None:
    for number in range(7):
        source(house_a, f"meter{number}")
    assert found("sources").seen.endswith("house-a/meter4 and 2 more.")


def test_readings_that_wait_for_compaction_too_long_are_a_fault(house_a: House) -> None:
    now = timezone.now()
    meter = source(house_a)
    deliver(meter, now)
    assert found("backlog", now + timedelta(minutes=14)).ok
    late = found("backlog", now + timedelta(minutes=16))
    assert late.seen == "Waiting for over 15 min: 1 days of sources to compact."
    store.compact(meter.pk, int(now.timestamp()) // 86_400)
    assert found("backlog", now + timedelta(minutes=16)).ok


def test_a_job_that_nobody_starts_is_a_fault() -> None:
    job = Job.objects.create(kind="none")
    assert found("backlog", job.created_at + timedelta(minutes=14)).ok
    assert "1 jobs to start" in found("backlog", job.created_at + timedelta(minutes=16)).seen


@pytest.mark.parametrize(
    ("free", "total", "ok"), [(3, 100, False), (0.5, 8, False), (1.5, 8, True), (6, 100, True)]
)
def test_a_disk_that_is_nearly_full_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, free: float, total: float, ok: bool
) -> None:
    usage = namedtuple("usage", "total used free")
    content = usage(total * doctor.GB, 0, free * doctor.GB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: content)
    assert found("disk").ok is ok


def test_secrets_that_others_may_read_are_a_fault(var: Path) -> None:
    secrets = var / "secrets.env"
    secrets.write_text("SECRET_KEY=x")
    secrets.chmod(0o640)
    assert found("secrets").remedy == f"Run `chmod 600 {secrets}`."
    secrets.chmod(0o600)
    assert found("secrets").ok
