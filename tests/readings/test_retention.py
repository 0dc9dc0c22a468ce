"""How long readings are kept: nightly by what is set, and by hand as a job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.accounts.models import User
from apps.houses.models import House
from apps.jobs.models import Job, State
from apps.jobs.run import cancel, perform
from apps.readings import calendar, retention, sealing, store, tasks, working
from apps.readings.models import Invalidation, Segment, Source
from tests.readings.building import put

HOUR = 3_600_000
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
ZONE = "Europe/Brussels"


def days_ago(days: int) -> int:
    return round((NOW - timedelta(days=days)).timestamp() * 1000)


def fill(source: Source, *ages: int) -> Source:
    put(source, "P", {days_ago(days): 1.0 for days in ages})
    for day in {days_ago(days) // store.DAY for days in ages}:
        store.compact(source.pk, day)
    working.roll_source(source.pk)
    return source


def left(source: Source) -> list[int]:
    """The ages of what is stored, in days."""
    days = Segment.objects.filter(source=source).order_by("-day").values_list("day", flat=True)
    return [days_ago(0) // store.DAY - day for day in days]


class TestNightly:
    def test_readings_are_kept_for_ever_unless_somebody_says_otherwise(self, source: Source) -> None:
        fill(source, 0, 5000)
        assert retention.retain(now=NOW) == 0
        assert left(source) == [0, 5000]

    def test_older_ones_go_up_to_a_local_midnight(self, source: Source, alice: User) -> None:
        fill(source, 0, 29, 30, 31, 32)
        retention.set_keep(source=source, days=30, by=alice)
        assert retention.retain(now=NOW) == 1
        source.refresh_from_db()
        assert left(source) == [0, 29, 30, 31]  # the last of them lies on the UTC day of that midnight
        assert source.sealed_before == calendar.day_bounds(ZONE, date(2026, 2, 8))[0]

    def test_a_second_run_finds_nothing_to_do(self, source: Source) -> None:
        fill(source, 0, 40)
        retention.set_keep(source=source, days=30, by=None)
        retention.retain(now=NOW)
        assert retention.retain(now=NOW) == 0
        assert retention.retain(now=NOW + timedelta(days=1)) == 1

    def test_a_source_that_cannot_be_sealed_keeps_no_other_waiting(
        self,
        make_source: Callable[[], Source],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        broken, busy, good = (fill(make_source(), 0, 40) for _ in range(3))
        Source.objects.update(keep_raw_days=30)
        monkeypatch.setattr(working, "follow", lambda *_: None)
        Invalidation.objects.create(source=busy, day=days_ago(40) // store.DAY, seq=1, reason="a test")
        seal = sealing._seal

        def fails(source_id: int, before: int) -> sealing.Going | None:
            if source_id == broken.pk:
                raise RuntimeError("a flipped bit")
            return seal(source_id, before)

        monkeypatch.setattr(sealing, "_seal", fails)
        assert retention.retain(now=NOW) == 1
        assert [len(left(source)) for source in (broken, busy, good)] == [2, 2, 1]
        assert "a flipped bit" in caplog.text

    def test_it_stops_when_its_time_is_over(self, source: Source) -> None:
        fill(source, 0, 40)
        retention.set_keep(source=source, days=30, by=None)
        assert retention.retain(now=NOW, seconds=0) == 0

    @pytest.mark.django_db
    def test_it_is_scheduled(self) -> None:
        nightly = PeriodicTask.objects.get(task=tasks.retain.name)
        assert (nightly.crontab.hour, nightly.enabled) == ("3", True)
        tasks.retain.run()


class TestKeeping:
    def test_who_set_it_is_on_record(self, source: Source, alice: User) -> None:
        retention.set_keep(source=source, days=90, by=alice)
        newest = source.history.latest()
        assert (newest.keep_raw_days, newest.history_user) == (90, alice)

    @pytest.mark.parametrize("days", [0, 6, 36_501, -1])
    def test_a_number_of_days_has_bounds(self, source: Source, alice: User, days: int) -> None:
        with pytest.raises(ValidationError, match="Ensure this value"):
            retention.set_keep(source=source, days=days, by=alice)
        source.refresh_from_db()
        assert source.keep_raw_days is None


class TestByHand:
    def start(self, *sources: Source, day: date = date(2026, 2, 8)) -> Job:
        return retention.start(sources=sources, day=day, subject="a test", by=None, now=NOW)

    def test_a_job_drops_the_readings_of_several_sources(
        self, transactional_db: None, make_source: Callable[[], Source]
    ) -> None:
        sources = [fill(make_source(), 0, 32, 40) for _ in range(2)]
        job = self.start(*sources)
        perform(job.pk)
        job.refresh_from_db()
        assert (job.state, job.message) == (State.DONE, "Dropped 4 readings of 4 days.")
        assert [left(source) for source in sources] == [[0], [0]]

    def test_it_says_what_it_left_and_why(
        self, transactional_db: None, make_source: Callable[[], Source], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        busy, good = (fill(make_source(), 0, 40) for _ in range(2))
        monkeypatch.setattr(working, "follow", lambda *_: None)
        Invalidation.objects.create(source=busy, day=days_ago(40) // store.DAY, seq=1, reason="a test")
        job = self.start(busy, good)
        perform(job.pk)
        job.refresh_from_db()
        assert job.state == State.FAILED
        assert f"worked out of {busy}: their readings stay" in job.message
        assert [len(left(source)) for source in (busy, good)] == [2, 1]

    def test_one_that_is_cancelled_before_it_begins_drops_nothing(self, source: Source) -> None:
        fill(source, 0, 40)
        job = self.start(source)
        cancel(job=job, by=None)
        perform(job.pk)
        assert left(source) == [0, 40]

    def test_a_day_must_have_begun_in_the_house(self, source: Source, house_a: House) -> None:
        with pytest.raises(ValidationError, match="not begun"):
            self.start(source, day=date(2026, 3, 11))
        House.objects.filter(pk=house_a.pk).update(time_zone="Pacific/Kiritimati")
        again = Source.objects.get(pk=source.pk)
        assert self.start(again, day=date(2026, 3, 11))

    def test_there_must_be_a_source(self, db: None) -> None:
        with pytest.raises(ValidationError, match="no source"):
            self.start()

    def test_running_it_again_does_no_harm(
        self, transactional_db: None, make_source: Callable[[], Source]
    ) -> None:
        source = fill(make_source(), 0, 40)
        for _ in range(2):
            job = self.start(source)
            perform(job.pk)
        job.refresh_from_db()
        assert (job.state, job.message) == (State.DONE, "Dropped 0 readings of 0 days.")


def test_the_clock_of_the_task_is_todays(source: Source) -> None:
    stamp = round((timezone.now() - timedelta(days=60)).timestamp() * 1000)
    put(source, "P", {stamp: 1.0})
    retention.set_keep(source=source, days=30, by=None)
    tasks.retain.run()
    assert not Segment.objects.exists()
