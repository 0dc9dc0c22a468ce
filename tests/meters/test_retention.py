"""What loggers did a year ago is forgotten, and nothing that came of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.meters import retention, tasks
from apps.meters.models import Layout, LoggerDevice, UploadFile, UploadSession
from tests.meters.conftest import Box, Reader, rows


@pytest.mark.usefixtures("noon")
def test_files_and_sessions_of_long_ago_are_forgotten(
    box: Box, readings: Reader, noon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PIECE", 1)
    box.log(rows(2))
    box.log(rows(3))
    noon.shift(200 * 86_400)
    box.log(rows(4))
    noon.shift(200 * 86_400)
    retention.retain(now=timezone.now())
    assert (UploadFile.objects.count(), UploadSession.objects.count()) == (1, 1)
    assert (len(readings()), LoggerDevice.objects.count(), Layout.objects.count()) == (4, 1, 1)


@pytest.mark.django_db
def test_it_is_done_each_night() -> None:
    assert PeriodicTask.objects.get(task=tasks.retain.name).crontab.hour == "3"
