"""A database of its own for a bench, on the server that the installation uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.db.utils import OperationalError
from psycopg.sql import Identifier
from redis import Redis, RedisError

from apps.desk.bench.results import BenchError

FREE_DATABASES = range(15, 0, -1)  # of a stock Redis; 0 is everybody's


@contextmanager
def database() -> Iterator[str]:
    """Let Django work on a fresh, migrated database; gives its URL. It is dropped afterwards.

    One that a killed bench left is dropped before. Raises BenchError.
    """
    own = str(connection.settings_dict["NAME"])
    name = f"{own}_bench"
    _run(f"DROP DATABASE IF EXISTS {Identifier(name).as_string()}")
    _run(f"CREATE DATABASE {Identifier(name).as_string()}")
    _use(name)
    try:
        call_command("migrate", interactive=False, verbosity=0)
        yield _url(name)
    finally:
        _use(own)
        _drop(Identifier(name).as_string())


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis database that holds nothing, for the web server's counts; emptied afterwards."""
    try:
        url = next(url for number in FREE_DATABASES if _is_empty(url := _numbered(number)))
    except (StopIteration, RedisError) as error:
        raise BenchError("The bench needs an empty Redis database, of 1 to 15, and there is none.") from error
    try:
        yield url
    finally:
        with Redis.from_url(url) as client:
            client.flushdb()


def _drop(name: str) -> None:
    """A plain DROP waits for autovacuum to leave, which only a superuser may force; nobody else may stay."""
    try:
        _run(f"DROP DATABASE {name}")
    except BenchError:
        _run(f"DROP DATABASE {name} WITH (FORCE)")


def _run(statement: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except (ProgrammingError, OperationalError) as error:
        reason = str(error).splitlines()[0]
        raise BenchError(f"The bench needs a database of its own, and PostgreSQL says: {reason}.") from error


def _use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def _url(name: str) -> str:
    """The installation's DATABASE_URL with another database."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{quote(name, safe='')}").geturl()


def _numbered(number: int) -> str:
    return urlsplit(str(settings.REDIS_URL))._replace(path=f"/{number}").geturl()


def _is_empty(url: str) -> bool:
    with Redis.from_url(url) as client:
        return not client.dbsize()
