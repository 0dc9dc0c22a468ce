"""The lists of the admin: quick however long they are, searchable, and never silent when they are empty."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.houses.models import House
from tests.desk.test_admin_access import MODELS, every_model, label, object_of, url
from tests.people import AsUser

MOST_QUERIES = 15  # session, person, count, rows, choices of filters …
ONE_OF_MANY = {"django_celery_beat.PeriodicTask"}  # its links exclude each other
NEED_NO_SEARCH = {"django_celery_beat.CrontabSchedule", "django_celery_beat.IntervalSchedule"}
NEED_NO_FILTER = {"meters.UnclaimedLogger"}  # of no house, and of one kind


def make(model: type[models.Model], rows: int) -> None:
    """Objects that share nothing: each has a house of its own, and everything else it can point at."""
    for _ in range(rows):
        house = House.objects.create(name=f"mill-{House.objects.count()}")
        made = object_of(model, house)
        for field in model._meta.concrete_fields:
            if (
                field.related_model
                and field.null
                and label(model) not in ONE_OF_MANY
                and getattr(made, field.attname) is None
            ):
                setattr(made, field.name, object_of(field.related_model, house))
        made.save()


def queries(client: Client, model: type[models.Model]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url(model, "changelist")).status_code == 200
    return len(captured)


@every_model
def test_a_longer_list_asks_the_database_no_more(
    admin: User, as_user: AsUser, model: type[models.Model]
) -> None:
    client = as_user(admin)
    client.get(url(model, "changelist"))  # what is looked up once in a process
    make(model, 3)
    few = queries(client, model)
    make(model, 27)
    assert queries(client, model) == few <= MOST_QUERIES


@every_model
def test_a_list_can_be_searched_and_filtered(model: type[models.Model]) -> None:
    page: Any = admin.site._registry[model]
    assert list(page.list_display) != ["__str__"]
    if label(model) not in NEED_NO_SEARCH:
        assert page.search_fields
        assert page.list_filter or label(model) in NEED_NO_FILTER


@every_model
def test_an_empty_list_says_what_would_be_there(model: type[models.Model]) -> None:
    assert admin.site._registry[model].when_empty.endswith(".")  # type: ignore[attr-defined]


def test_there_are_lists() -> None:
    assert len(MODELS) > 10
