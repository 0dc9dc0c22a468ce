"""Deleting a house: by a typed name, as a job, with all that is of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.devices.models import Device, EdgeUnit, Event
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.models import EdgeCredential, House, Membership
from apps.houses.mutations import delete_house, set_enabled
from apps.jobs import run as jobs
from apps.jobs.models import Job, State
from apps.readings.models import Namespace, Source
from tests.devices.conftest import CONFIG, NOW, NOW_MS, Agent, Reader, batch
from tests.devices.conftest import egauge as egauge  # fixtures
from tests.devices.conftest import noon as noon
from tests.devices.conftest import readings as readings
from tests.jobs.conftest import queue as queue
from tests.people import AsUser, person
from tests.readings import building

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue", "noon")]


@pytest.fixture
def agent(house_a: House) -> Agent:
    credentials.forget()
    return Agent(credentials.issue(house=house_a).key)


def finish(job: Job) -> Job:
    """Run it here, as a worker would."""
    jobs.perform(job.pk)
    job.refresh_from_db()
    return job


def test_nothing_is_left_of_the_house_and_nothing_missing_of_others(
    house_a: House, house_b: House, egauge: Device, agent: Agent, alice: User, admin: User, readings: Reader
) -> None:
    other = create_device(house=house_b, name="egauge", type="egauge", config=CONFIG)
    building.put(other.source, "A.Solar", {NOW_MS: 2.0}, NOW)
    item = Source.objects.create(house=house_a, namespace=Namespace.ANALYTICS, name="sum")
    building.put(item, "value", {NOW_MS: 1.0}, NOW)
    agent.upload(batch(**{"A.Solar": [1]}), events=[{"timestamp": NOW_MS, "type": "WARNING", "data": {}}])

    job = finish(delete_house(house=house_a, by=admin))

    assert (job.state, str(job)) == (State.DONE, "Delete a house: house-a")
    assert list(House.objects.all()) == [house_b]
    assert list(Source.objects.all()) == [other.source]
    assert [model.objects.count() for model in (Event, EdgeCredential, Membership)] == [0, 0, 0]
    assert list(EdgeUnit.objects.values_list("house", flat=True)) == [house_b.pk]
    assert readings("A.Solar", house="house-b") == {NOW_MS: 2.0}
    record = House.history.filter(id=house_a.pk).latest()
    assert (record.history_type, record.history_user) == ("-", admin)


def test_its_agent_is_refused_its_data_at_once_and_its_key_afterwards(
    house_a: House, egauge: Device, agent: Agent
) -> None:
    job = delete_house(house=house_a, by=None)
    assert agent.upload(batch(a=[1])).json()["refused"][0]["code"] == "disabled_source"
    finish(job)
    assert agent.upload(batch(a=[1])).status_code == 401


def test_it_is_deleted_once_and_cannot_be_enabled_meanwhile(house_a: House, admin: User) -> None:
    job = delete_house(house=house_a, by=admin)
    with pytest.raises(ValidationError, match="already"):
        delete_house(house=house_a, by=admin)
    with pytest.raises(ValidationError, match="being deleted"):
        set_enabled(house=house_a, enabled=True, by=admin)
    jobs.cancel(job=job, by=admin)
    set_enabled(house=house_a, enabled=True, by=admin)
    assert House.objects.get().enabled


def test_a_job_that_runs_again_after_the_end_does_no_harm(house_a: House, house_b: House) -> None:
    job = finish(delete_house(house=house_a, by=None))
    Job.objects.update(state=State.QUEUED)
    assert finish(job).state == State.DONE
    assert list(House.objects.all()) == [house_b]


class TestPage:
    def post(self, client: Client, house: House, **typed: str) -> Any:
        address = reverse("admin:houses_house_erase", args=[house.pk])
        return client.post(address, {"_form_submitted": "true", **typed})

    def test_an_administrator_types_the_name(self, admin: User, as_user: AsUser, house_a: House) -> None:
        client = as_user(admin)
        for typed in ("", "House A", "house-b"):
            assert self.post(client, house_a, name=typed).status_code == 200
        assert not Job.objects.exists()
        answer = self.post(client, house_a, name="house-a")
        assert answer["Location"] == reverse("admin:jobs_job_change", args=[Job.objects.get().pk])
        page = client.get(reverse("admin:houses_house_change", args=[house_a.pk])).content.decode()
        assert "is being deleted" in page
        assert reverse("admin:houses_house_erase", args=[house_a.pk]) not in page

    def test_members_do_not_delete_their_house_and_others_do_not_find_it(
        self, alice: User, bob: User, as_user: AsUser, house_a: House, house_b: House
    ) -> None:
        outsider = person("oscar", Role.OPERATOR, house_b)
        answers = [self.post(as_user(one), house_a, name="house-a") for one in (alice, bob, outsider)]
        assert [answer.status_code for answer in answers] == [403, 403, 404]
        page = as_user(alice).get(reverse("admin:houses_house_change", args=[house_a.pk])).content.decode()
        assert reverse("admin:houses_house_erase", args=[house_a.pk]) not in page
        assert not Job.objects.exists()

    def test_its_agent_is_synchronized_there(
        self, alice: User, as_user: AsUser, house_a: House, egauge: Device
    ) -> None:
        client = as_user(alice)
        address = reverse("admin:houses_house_synchronize", args=[house_a.pk])
        assert client.post(address, {"_form_submitted": "true"}).status_code == 302
        assert EdgeUnit.objects.get().config_version == 2
        text = client.get(reverse("admin:houses_house_change", args=[house_a.pk])).content.decode()
        assert "Waiting for the agent" in text
