"""The admin pages that libraries bring."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from apps.accounts.models import User
from tests.people import AsUser


@pytest.fixture
def desk(admin: User, as_user: AsUser) -> Client:
    return as_user(admin)


def scheduled(name: str) -> str:
    """The page of the task that beat starts under this name."""
    task = PeriodicTask.objects.get(task=name)
    return reverse("admin:django_celery_beat_periodictask_change", args=[task.pk])


def test_a_scheduled_task_says_what_choosing_another_does(desk: Client) -> None:
    text = desk.get(scheduled("readings.sweep")).content.decode()
    assert "takes the place of the task below" in text
    assert 'value="readings.sweep"' in text


def test_its_arguments_take_little_room(desk: Client) -> None:
    text = desk.get(scheduled("readings.sweep")).content.decode()
    assert [*re.findall(r'<textarea name="(\w+)"[^>]*rows="2"', text)] == ["description", "args", "kwargs"]


def test_without_tokens_it_says_who_makes_them(desk: Client) -> None:
    assert "People make tokens" in desk.get(reverse("admin:knox_authtoken_changelist")).content.decode()
