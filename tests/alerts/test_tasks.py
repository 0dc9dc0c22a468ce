"""The schedule and the task."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_celery_beat.models import PeriodicTask

from apps.alerts import tasks
from apps.alerts.models import Evaluation
from config.celery import app


@pytest.mark.django_db
def test_alerts_are_evaluated_every_minute() -> None:
    scheduled = PeriodicTask.objects.get(task="alerts.evaluate")
    assert scheduled.enabled
    assert scheduled.interval.schedule.run_every == timedelta(minutes=1)
    assert scheduled.task in app.tasks


@pytest.mark.django_db
def test_the_task_evaluates() -> None:
    tasks.evaluate.run()
    assert Evaluation.objects.count() == 1
