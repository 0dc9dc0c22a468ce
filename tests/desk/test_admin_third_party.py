"""The admin pages that libraries bring."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.mutations import issue_token
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


def fail(client: Client, user: User, times: int) -> int:
    """Log in with wrong passwords; the status of the last answer."""
    form = {"username": user.email, "password": "wrong"}
    return [client.post("/accounts/login/", form).status_code for _ in range(times)][-1]


def test_who_is_locked_out_can_be_let_in(desk: Client, bob: User, settings: Settings) -> None:
    settings.AXES_ENABLED = True
    assert fail(Client(), bob, 5) == 429
    assert "locked out" in desk.get("/admin/axes/accessattempt/?locked=yes").content.decode()
    attempt = AccessAttempt.objects.get()
    address = reverse("admin:axes_accessattempt_unlock", args=[attempt.pk])
    assert "tried again at once" in desk.get(address).content.decode()

    desk.post(address, {"_form_submitted": "on"})
    assert fail(Client(), bob, 1) == 200
    assert "locked out" not in desk.get("/admin/axes/accessattempt/?locked=no").content.decode()


def test_a_lock_that_is_over_is_none(desk: Client, bob: User, settings: Settings) -> None:
    settings.AXES_ENABLED = True
    fail(Client(), bob, 5)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert "may try again" in desk.get("/admin/axes/accessattempt/?locked=no").content.decode()
    assert not desk.get("/admin/axes/accessattempt/?locked=yes").context["cl"].result_count


def test_tokens_are_listed_with_their_programs_and_expired_ones_apart(desk: Client, bob: User) -> None:
    issue_token(user=bob, now=timezone.now(), name="Excel")
    issue_token(user=bob, now=timezone.now(), name="Old script", lasting=timedelta(seconds=-1))
    address = reverse("admin:knox_authtoken_changelist")
    works, expired = (desk.get(f"{address}?works={answer}").content.decode() for answer in ("yes", "no"))
    assert ("Excel" in works, "Old script" in works) == (True, False)
    assert ("Excel" in expired, "Old script" in expired) == (False, True)


def test_times_say_in_words_when_and_how_many_tasks_use_them(desk: Client) -> None:
    nightly = CrontabSchedule.objects.filter(periodictask__isnull=False).first()
    assert nightly
    text = desk.get(reverse("admin:django_celery_beat_crontabschedule_changelist")).content.decode()
    assert str(nightly.human_readable) in text
    page = desk.get(reverse("admin:django_celery_beat_crontabschedule_change", args=[nightly.pk]))
    assert nightly.periodictask_set.first().name in page.content.decode()
