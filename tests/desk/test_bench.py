"""`bench`: a tiny run through all of it, the data it makes, and what it says about goals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.desk.bench import data, results, serving, victoria
from apps.desk.bench.data import DAY, month, uploads
from apps.desk.bench.results import Goal, row
from apps.desk.bench.uploading import envelope
from tests.config.processes import ROOT
from tests.readings.children import this_database

START = 20_000 * DAY
KEYS = ["bench", "metric", "value", "unit", "against", "ratio", "goal", "met"]
# What the stage's goals ask for, by metric and peer.
GOALS = {
    ("disk", None): "value <= 1.4",
    ("disk", "PostgreSQL rows"): "ratio <= 0.03",
    ("ingest CPU", "bare WSGI"): "ratio <= 2.2",
    ("read 2 d", "PostgreSQL rows"): "ratio <= 0.0333",
    ("latest of 20", "PostgreSQL rows"): "ratio <= 0.333",
}


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as a person would, on the tests' servers."""
    return subprocess.run(
        [sys.executable, "manage.py", "bench", *arguments],
        cwd=ROOT,
        env={**os.environ, "WATTDESK_BOOTSTRAP": "off", **this_database(), **environment},
        capture_output=True,
        text=True,
        timeout=550,
    )


def leftover() -> bool:
    """Whether the database of the bench is still there; those of other processes of this run are not ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [f"{connection.settings_dict['NAME']}_bench"]
        )
        return cursor.fetchone() is not None


@pytest.mark.slow
@pytest.mark.django_db
def test_a_tiny_run_has_every_row_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"

    done = bench("store", "--days", "2", "--rounds", "1", "--uploads", "5", "--json", str(file))

    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())
    assert all(list(one) == KEYS for one in rows)
    goals = {(one["metric"], one["against"]): one["goal"] for one in rows}
    assert GOALS.items() <= goals.items()
    assert all(one["value"] > 0 and isinstance(one["met"], bool) for one in rows)
    assert all((one["ratio"] is None) == (one["against"] is None) for one in rows)
    assert "PostgreSQL rows" in done.stdout
    assert not leftover()
    own = {None, "PostgreSQL rows", "PostgreSQL rows, prepared", "bare WSGI"}
    left_out = "VictoriaMetrics is not installed: its rows are left out.\n" in done.stderr
    assert {one["against"] for one in rows} == own | (set() if left_out else {"VictoriaMetrics"})
    assert left_out == (victoria.program() is None)


ANALYTICS = {
    ("hourly mean", "PostgreSQL rows"): "ratio <= 0.2",
    ("hourly mean, stored", "PostgreSQL rows"): "ratio <= 0.2",
    ("full rollup", "PostgreSQL rows"): "ratio <= 0.125",
    ("formula, 10 s means", "SQL date_bin"): "ratio <= 0.05",
    ("formula, as of", "SQL as-of"): "ratio <= 0.05",
    ("formula, one clock", "decode"): "ratio <= 1.3",
}


@pytest.mark.slow
@pytest.mark.django_db
def test_a_tiny_run_of_analytics_agrees_with_sql_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"

    done = bench("analytics", "--days", "1", "--rounds", "1", "--json", str(file), PATH=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "VictoriaMetrics is not installed: its rows are left out.\n" in done.stderr
    rows = json.loads(file.read_text())
    assert ANALYTICS.items() <= {(one["metric"], one["against"]): one["goal"] for one in rows}.items()
    assert all(one["value"] > 0 and one["unit"] == "ms" for one in rows)
    assert not leftover()


@pytest.mark.slow
def test_loggers_lose_nothing_while_worker_and_postgresql_are_killed(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"

    done = bench("acquisuite", "--loggers", "10", "--pace", "5", "--json", str(file))

    assert done.returncode == 0, done.stderr
    rows = {(one["metric"], one["against"]): one for one in json.loads(file.read_text())}
    for metric in ("rows lost", "rows that nobody sent", "files kept twice", "derived days missing"):
        assert rows[metric, None]["value"] == 0, metric
    assert rows["upload to derived value, p95", None]["goal"] == "value <= 60"
    assert rows["file, CPU", "bare WSGI"]["goal"] == "ratio <= 4"
    assert rows["files sent again", None]["value"] >= 0


PAGES = {
    "dashboard page": "",
    "dashboard data, unchanged": "ratio <= 4",
    "dashboard data, after an arrival": "ratio <= 4",
    "month report": "ratio <= 6",
    "admin start page": "ratio <= 8",
    "device list": "ratio <= 8",
}


@pytest.mark.slow
def test_pages_are_measured_beside_an_empty_one_of_the_same_server(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    tiny = ["--viewers", "2", "--devices", "25", "--days", "2", "--rounds", "1", "--asks", "2"]

    done = bench("pages", *tiny, "--json", str(file))

    assert done.returncode == 0, done.stderr
    rows = {(one["metric"], one["against"]): one for one in json.loads(file.read_text())}
    for name, goal in PAGES.items():
        for part in ("p50", "p95"):
            assert rows[f"{name}, {part}", "empty page"]["goal"] == goal
            empty, known = (rows[f"{name}, {part}", one] for one in ("empty page", "empty page, logged in"))
            assert empty["value"] == known["value"] > 0
            assert empty["ratio"] > known["ratio"]


@pytest.mark.slow
@pytest.mark.django_db
def test_a_database_that_somebody_uses_is_not_taken() -> None:
    name = f"{connection.settings_dict['NAME']}_bench"
    server = this_database()["DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as other:
        other.execute(f"CREATE DATABASE {name}".encode())
        try:
            with psycopg.connect(f"{server}/{name}"):
                done = bench("store")
        finally:
            other.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert done.returncode == 1
    assert "is being accessed by other users" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stor"], "no bench 'stor'; there are: store, analytics, acquisuite"),
        (["store", "--days", "0"], "at least 1"),
        (["store", "--days", "2", "--uploads", "100"], "730 uploads are too many: 2 days make 288"),
        (["acquisuite", "--loggers", "3"], "name more loggers"),
        (["acquisuite", "--pace", "0"], "at least 1"),
    ],
)
def test_bad_arguments_are_a_sentence(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("bench", *arguments, stdout=StringIO())


def test_help_has_an_example() -> None:
    done = bench("--help")
    assert "manage.py bench store --json results.json" in done.stdout


def test_the_data_is_twenty_fields_on_four_clocks() -> None:
    feeds = month(start=START, days=2)
    assert len(feeds) == 4
    assert sum(len(feed.fields) for feed in feeds) == 20
    assert len({feed.stamps.tobytes() for feed in feeds}) == 4


def test_readings_come_every_ten_seconds_with_jitter_and_gaps() -> None:
    for feed in month(start=START, days=3):
        steps = np.diff(feed.stamps)
        regular = steps[steps < 1.5 * data.STEP]
        assert abs(regular - data.STEP).max() <= 2 * data.JITTER
        assert np.std(regular) > data.JITTER / 2
        missing = 1 - len(feed.stamps) / (3 * DAY / data.STEP)
        assert 0.002 < missing < 0.01
        assert feed.stamps[0] >= START
        assert feed.stamps[-1] < START + 3 * DAY


def test_the_data_is_the_same_in_every_run_and_never_absent() -> None:
    for one, other in zip(month(start=START, days=1), month(start=START, days=1), strict=True):
        assert np.array_equal(one.stamps, other.stamps)
        assert np.array_equal(one.values, other.values)
        assert np.isfinite(one.values).all()


def test_counters_grow_and_charge_is_a_percentage() -> None:
    values = {
        name: values
        for feed in month(start=START, days=2)
        for name, values in zip(feed.fields, feed.values, strict=True)
    }
    assert (np.diff(values["charged_Wh"]) >= 0).all()
    assert (np.diff(values["energy_kWh"]) >= 0).all()
    assert 0 <= values["soc"].min() < values["soc"].max() <= 100


def test_uploads_are_the_same_readings_in_pieces_of_ten_minutes() -> None:
    feeds = month(start=START, days=1)
    pieces = list(uploads(feeds))
    assert len(pieces) == 144
    for feed in feeds:
        own = [part for piece in pieces for part in piece if part.source == feed.source]
        assert np.array_equal(np.concatenate([part.stamps for part in own]), feed.stamps)
        assert np.array_equal(np.concatenate([part.values for part in own], axis=1), feed.values)


def test_an_upload_is_an_envelope_of_the_edge_api() -> None:
    [first, *_] = uploads(month(start=START, days=1))
    batches = msgspec.json.decode(envelope(first))["batches"]
    assert [batch["source"] for batch in batches] == ["meter", "battery", "charger", "heat"]
    assert all(len(column) == len(one["timestamps"]) for one in batches for column in one["fields"].values())


def test_victorias_lines_carry_the_same_readings() -> None:
    feed = month(start=START, days=1)[3]
    lines = [msgspec.json.decode(line) for line in victoria.body([feed]).splitlines()]
    assert [line["metric"]["field"] for line in lines] == list(feed.fields)
    assert lines[0]["timestamps"] == feed.stamps.tolist()
    assert lines[1]["values"] == feed.values[1].tolist()


def test_the_ratio_is_ours_by_theirs_and_decides_about_the_goal() -> None:
    met = row("b", "m", 2.0, "ms", against="peer", theirs=60.0, goal=Goal(1 / 30))
    assert (met.ratio, met.goal, met.met) == (2 / 60, "ratio <= 0.0333", True)
    assert not row("b", "m", 2.0, "ms", against="peer", theirs=59.0, goal=Goal(1 / 30)).met


def test_a_goal_can_bound_the_value_itself() -> None:
    assert row("b", "m", 1.4, "B", goal=Goal(1.4, "value")).met
    assert not row("b", "m", 1.41, "B", goal=Goal(1.4, "value")).met
    assert row("b", "m", 1.4, "B", goal=Goal(1.4, "value")).ratio is None


def test_the_table_says_what_was_missed() -> None:
    text = results.table([row("store", "disk", 1.5, "B/reading", goal=Goal(1.4, "value"))])
    assert text.splitlines()[1].split() == [
        "store",
        "disk",
        "1.5",
        "B/reading",
        "value",
        "<=",
        "1.4",
        "MISSED",
    ]


def test_processor_time_counts_children_and_only_what_was_used() -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    work = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = serving.cpu_seconds([process.pid])
        process.communicate("\n")
    assert 0.25 < used < 1.5
    assert serving.cpu_seconds([process.pid]) == 0
