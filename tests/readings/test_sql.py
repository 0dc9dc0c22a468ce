"""The store's statements: binary, prepared once for each connection, and seen by Django's query log."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.readings.models import Source
from apps.readings.sql import fetch, run

pytestmark = pytest.mark.django_db

ADD = "SELECT %(a)s::bigint + 1 AS answer"


def prepared(text: str) -> list[int]:
    """How often each prepared statement with this text ran."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
            [f"%{text}%"],
        )
        return [runs for (runs,) in cursor.fetchall()]


def test_a_statement_is_prepared_at_its_first_use_and_used_again() -> None:
    assert [fetch(ADD, {"a": number}) for number in (1, 2, 3)] == [[(2,)], [(3,)], [(4,)]]
    assert prepared("AS answer") == [3]


def test_bytes_go_over_and_come_back_as_they_are() -> None:
    payload = bytes(range(256))
    assert fetch("SELECT %(payload)s::bytea", {"payload": payload}) == [(payload,)]


def test_run_tells_how_many_rows_it_touched() -> None:
    assert run("DELETE FROM readings_source WHERE id = %(id)s::bigint", {"id": -1}) == 0


def test_a_prepared_statement_is_in_the_query_log() -> None:
    fetch(ADD, {"a": 1})
    with CaptureQueriesContext(connection) as queries:
        fetch(ADD, {"a": 2})
    assert ["AS answer" in query["sql"] for query in queries] == [True]


def test_the_orm_prepares_nothing() -> None:
    for _ in range(10):
        Source.objects.count()
    assert prepared("COUNT(*)") == []
