"""Deleting a device: by a typed name, as a job, with all it ever said."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.devices import deletion
from apps.devices.models import Device, Event
from apps.devices.mutations import create_device, delete_device, update_device
from apps.houses.models import House
from apps.jobs import run as jobs
from apps.jobs.models import Job, State
from apps.readings import deletion as readings_deletion
from apps.readings import store
from apps.readings.models import Series, Source
from config.processes import wait_until
from tests.devices.conftest import CONFIG, NOW, NOW_MS, Agent, Reader, batch
from tests.jobs.conftest import queue as queue  # a fixture
from tests.people import AsUser
from tests.readings import building

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue", "noon")]

DAYS = [NOW_MS - number * store.DAY for number in range(5)]
TABLES = ["readings_tail", "readings_segment", "readings_clock", "readings_latest", "readings_series"]


def rows(source: int) -> int:
    """What the store holds of a source, in all its tables."""
    with connection.cursor() as cursor:
        counts = [
            cursor.execute(f"SELECT count(*) FROM {table} WHERE source_id = {source:d}").fetchone()[0]  # noqa: S608
            for table in TABLES
        ]
    return sum(counts)


def finish(job: Job) -> Job:
    """Run it here, as a worker would."""
    jobs.perform(job.pk)
    job.refresh_from_db()
    return job


@pytest.fixture
def filled(egauge: Device, agent: Agent) -> Device:
    """A device with five days of readings, one of them compacted, and events."""
    for stamp in DAYS:
        agent.upload(batch(at=[stamp], states={"mode": [f"m{stamp}"]}, **{"A.Solar": [1]}))
    store.compact(egauge.pk, DAYS[2] // store.DAY)
    return egauge


class TestJob:
    def test_nothing_is_left_of_the_device_and_nothing_missing_of_others(
        self, filled: Device, agent: Agent, house_a: House, alice: User, readings: Reader
    ) -> None:
        create_device(house=house_a, name="other", type="egauge", config=CONFIG)
        agent.upload(batch("other", **{"A.Solar": [2]}))
        pk = filled.pk
        job = finish(delete_device(device=filled, by=alice))
        assert (job.state, job.by, rows(pk)) == (State.DONE, alice, 0)
        assert not Event.objects.exists()
        assert list(Source.objects.values_list("name", flat=True)) == ["other"]
        assert readings("A.Solar", source="other") == {NOW_MS: 2.0}
        record = Device.history.filter(source_id=pk).latest()
        assert (record.history_type, record.history_user) == ("-", alice)

    def test_the_agent_is_told_disabled_until_it_is_unknown(self, filled: Device, agent: Agent) -> None:
        job = delete_device(device=filled)
        assert agent.upload(batch(a=[1])).json()["refused"][0]["code"] == "disabled_source"
        assert agent.config().json()["devices"] == []
        finish(job)
        assert agent.upload(batch(a=[1])).json()["refused"][0]["code"] == "unknown_source"

    def test_a_new_device_of_the_same_name_begins_with_nothing(
        self, filled: Device, agent: Agent, house_a: House, readings: Reader
    ) -> None:
        finish(delete_device(device=filled))
        device = create_device(house=house_a, name="egauge", type="egauge", config=CONFIG)
        assert device.pk != filled.pk
        assert agent.upload(batch(**{"A.Solar": [7], "A.Load": [8]})).json()["stored"] == 2
        assert (readings("A.Solar"), readings("A.Load")) == ({NOW_MS: 7.0}, {NOW_MS: 8.0})

    def test_cancelled_it_leaves_whole_days_and_goes_on_when_asked_again(
        self, filled: Device, readings: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(readings_deletion, "PIECE", 2)
        job = delete_device(device=filled)
        stop_after(monkeypatch, 1)
        assert finish(job).state == State.CANCELLED
        assert sorted(readings("A.Solar")) == sorted(DAYS[:3])  # the oldest went first
        assert Source.objects.get().enabled is False
        monkeypatch.undo()
        assert finish(delete_device(device=filled)).state == State.DONE
        assert not Source.objects.exists()

    def test_a_worker_that_dies_at_any_point_leaves_a_job_that_can_be_run_again(self, filled: Device) -> None:
        class Deaf:
            def progress(self, *_: Any) -> None: ...

        for _ in range(2):  # the second time there is nothing left
            deletion.run(Deaf(), source=filled.pk, user=None)  # type: ignore[arg-type]
        assert not Source.objects.exists()

    def test_what_arrived_after_its_day_was_deleted_goes_too(self, filled: Device) -> None:
        class Uploading:
            def progress(self, *_: Any) -> None:
                building.put(filled.source, "late", {DAYS[-1]: 1.0}, NOW)

        deletion.run(Uploading(), source=filled.pk, user=None)  # type: ignore[arg-type]
        assert rows(filled.pk) == 0


def test_agents_that_go_on_sending_get_answers_and_leave_nothing_behind(
    filled: Device, agent: Agent, house_a: House
) -> None:
    """Uploads race with the deletion, and with a new device that gets the name."""
    over = threading.Event()
    answers: list[Any] = []

    def send() -> None:
        try:
            while not over.is_set():
                answers.append(
                    agent.upload(batch(at=[DAYS[len(answers) % 5]], **{"A.Solar": [1], "new": [2]}))
                )
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        sending = [pool.submit(send) for _ in range(3)]
        finish(delete_device(device=filled))
        new = create_device(house=house_a, name="egauge", type="egauge", config=CONFIG)
        wait_until(lambda: Series.objects.filter(source=new.pk, field="new").exists(), seconds=20)
        over.set()
        for one in sending:
            one.result()

    assert {answer.status_code for answer in answers} <= {200, 503}
    codes = {
        refusal["code"]
        for answer in answers
        if answer.status_code == 200
        for refusal in answer.json()["refused"]
    }
    assert codes <= {"disabled_source", "unknown_source"}
    assert rows(filled.pk) == 0


def stop_after(monkeypatch: pytest.MonkeyPatch, reports: int) -> None:
    """Have the job asked to stop at its `reports`-th report."""
    told: list[int] = []

    def progress(self: Any, done: int, total: int | None, message: str = "") -> None:
        told.append(done)
        if len(told) >= reports:
            raise jobs.Cancelled

    monkeypatch.setattr(jobs.Running, "progress", progress)


class TestMutation:
    def test_a_device_is_deleted_once(self, egauge: Device) -> None:
        delete_device(device=egauge)
        with pytest.raises(ValidationError, match="already"):
            delete_device(device=egauge)
        assert Job.objects.count() == 1

    def test_it_cannot_be_enabled_meanwhile(self, egauge: Device, alice: User) -> None:
        job = delete_device(device=egauge)
        with pytest.raises(ValidationError, match="being deleted"):
            update_device(device=egauge, enabled=True)
        jobs.cancel(job=job, by=alice)
        assert update_device(device=egauge, enabled=True).source.enabled

    def test_no_secret_is_in_the_job(self, egauge: Device) -> None:
        job = delete_device(device=egauge)
        assert job.args == {"source": egauge.pk, "user": None}


class TestPage:
    @pytest.fixture
    def client(self, alice: User, as_user: AsUser) -> Client:
        return as_user(alice)

    def post(self, client: Client, device: Device, **typed: str) -> Any:
        address = reverse("admin:devices_device_erase", args=[device.pk])
        return client.post(address, {"_form_submitted": "true", **typed})

    def test_the_name_has_to_be_typed(self, client: Client, egauge: Device) -> None:
        for typed in ({}, {"name": ""}, {"name": "eGauge"}, {"name": "other"}):
            assert self.post(client, egauge, **typed).status_code == 200
        assert not Job.objects.exists()
        assert Source.objects.get().enabled

    def test_typing_it_starts_the_job_and_leads_there(
        self, client: Client, egauge: Device, alice: User
    ) -> None:
        answer = self.post(client, egauge, name="egauge")
        job = Job.objects.get()
        assert answer["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
        assert (job.by, str(job)) == (alice, "Delete a device: egauge of House A")
        assert client.get(answer["Location"]).status_code == 200
        assert LogEntry.objects.get().is_deletion()

    def test_meanwhile_the_page_says_so_and_offers_neither_deleting_nor_enabling(
        self, client: Client, egauge: Device
    ) -> None:
        page = reverse("admin:devices_device_change", args=[egauge.pk])
        erase, enable = (
            reverse(f"admin:devices_device_{name}", args=[egauge.pk]) for name in ("erase", "enable")
        )
        assert erase in client.get(page).content.decode()
        delete_device(device=egauge)
        text = client.get(page).content.decode()
        assert "is being deleted" in text
        assert (erase in text, enable in text) == (False, False)
        client.post(enable, {"_form_submitted": "true"})
        self.post(client, egauge, name="egauge")
        assert (Source.objects.get().enabled, Job.objects.count()) == (False, 1)

    def test_those_of_other_houses_do_not_exist(self, client: Client, house_b: House) -> None:
        foreign = create_device(house=house_b, name="foreign", type="egauge", config=CONFIG)
        assert self.post(client, foreign, name="foreign").status_code == 404
        assert not Job.objects.exists()

    def test_homeowners_and_visitors_delete_nothing(
        self, bob: User, charlie: User, as_user: AsUser, egauge: Device
    ) -> None:
        assert {self.post(as_user(one), egauge, name="egauge").status_code for one in (bob, charlie)} == {403}
        assert self.post(Client(), egauge, name="egauge")["Location"].startswith("/accounts/login/")
        assert not Job.objects.exists()


def test_series_are_gone_with_their_source(filled: Device) -> None:
    finish(delete_device(device=filled))
    assert not Series.objects.exists()
