"""Prepared statements return what the ORM returns, and save what it would save."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.forms.models import model_to_dict

from apps.houses.models import House
from apps.inbox.models import Receipt
from apps.meters.models import Logger, UploadSession
from config.prepared import insert, select, select_joined

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 10, 12, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def session(house_a: House) -> UploadSession:
    """A row with texts, times, an address, JSON and nothing."""
    logger = Logger.objects.create(house=house_a, serial="001EC6001234", password="x", password_set_at=AT)
    return UploadSession.objects.create(
        logger=logger, started_at=AT, last_at=AT, address="2001:db8::1", status={"a": [1, None, "é"]}
    )


def columns(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_selected_row_is_as_the_orm_has_it(session: UploadSession) -> None:
    (found,) = select(UploadSession, "WHERE id = %(id)s::bigint", {"id": session.pk})
    assert columns(found) == columns(UploadSession.objects.get())
    assert (found.started_at, found.status, found.address) == (AT, session.status, "2001:db8::1")
    assert found.attempt is None
    found.requests = 7
    found.save()
    assert UploadSession.objects.get().requests == 7


def test_joined_rows_are_as_many_instances(session: UploadSession) -> None:
    models = {"session": UploadSession, "logger": Logger, "house": House}
    rest = """
        FROM meters_uploadsession AS session JOIN meters_logger AS logger ON logger.id = session.logger_id
        JOIN houses_house AS house ON house.id = logger.house_id WHERE session.id = %(id)s::bigint
    """
    ((found, logger, house),) = select_joined(models, rest, {"id": session.pk})
    assert (found, logger, house) == (session, session.logger, session.logger.house)
    assert columns(logger) == columns(Logger.objects.get())
    assert columns(house) == columns(House.objects.get(pk=house.pk))


def test_nothing_found_is_nothing() -> None:
    assert select(House, "WHERE id = %(id)s::bigint", {"id": -1}) == []


def test_an_inserted_row_is_what_the_orm_would_save(house_a: House) -> None:
    given = {"kind": "k", "origin": "o'%(x)s", "received_at": AT, "metadata": {"q": ['"', {}]}, "error": ""}
    ours = insert(Receipt(house=house_a, **given))
    theirs = Receipt.objects.create(house=house_a, **given)
    read = Receipt.objects.get(pk=ours.pk)
    assert model_to_dict(read, exclude=["id"]) == model_to_dict(theirs, exclude=["id"])
    ours.save()  # not another one
    assert Receipt.objects.count() == 2


def test_an_inserted_row_is_checked_by_the_database(house_a: House) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(House(name=house_a.name))
