"""Jobs in the admin: whose they are, their progress, and stopping them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.houses.models import House
from apps.jobs.models import Job, State
from apps.jobs.run import Running, register
from tests.browser import OpenAs
from tests.people import AsUser, person

LIST = reverse("admin:jobs_job_changelist")


def nothing(running: Running) -> None:
    """What no worker runs here."""


register("test.admin", nothing, title="Delete a device")


def address(job: Job, name: str = "change") -> str:
    return reverse(f"admin:jobs_job_{name}", args=[job.pk])


@pytest.fixture
def job(alice: User) -> Job:
    return Job.objects.create(
        kind="test.admin",
        subject="Roof",
        by=alice,
        state=State.RUNNING,
        done=400,
        total=1000,
        message="Dropping 2026-03-10",
        started_at=timezone.now(),
    )


def stop(client: Client, job: Job) -> int:
    return client.post(address(job, "stop"), {"_form_submitted": "on"}).status_code


def test_people_see_the_jobs_they_started_and_administrators_all(
    as_user: AsUser, alice: User, admin: User, job: Job, house_a: House
) -> None:
    colleague = person("olga", "operator", house_a)  # type: ignore[arg-type]
    Job.objects.create(kind="test.admin", subject="Cellar", by=colleague)
    Job.objects.create(kind="test.admin", subject="Nightly", by=None)
    own, every = (as_user(who).get(LIST).content.decode() for who in (alice, admin))
    assert "Roof" in own
    assert "Cellar" not in own
    assert "Nightly" not in own
    assert all(subject in every for subject in ("Roof", "Cellar", "Nightly"))
    assert as_user(colleague).get(address(job)).status_code == 404
    assert as_user(colleague).get(address(job, "progress")).status_code == 404
    assert stop(as_user(colleague), job) in {403, 404}
    job.refresh_from_db()
    assert not job.cancel_requested


def test_jobs_are_not_homeowners_business(as_user: AsUser, bob: User, charlie: User, job: Job) -> None:
    for user in (bob, charlie):
        for url in (LIST, address(job), address(job, "progress"), address(job, "stop")):
            assert as_user(user).get(url).status_code == 403


def test_nobody_logged_out_learns_of_a_job(client: Client, job: Job) -> None:
    assert client.get(address(job, "progress"))["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("name", ["list", "page", "progress"])
def test_progress_is_in_words_and_as_a_bar(as_user: AsUser, alice: User, job: Job, name: str) -> None:
    url = {"list": LIST, "page": address(job), "progress": address(job, "progress")}[name]
    text = as_user(alice).get(url).content.decode()
    assert 'aria-valuenow="40"' in text
    assert "400 of 1000" in text
    assert "Dropping 2026-03-10" in text
    assert f'hx-get="{address(job, "progress")}"' in text


def test_a_job_of_unknown_length_has_no_bar(as_user: AsUser, alice: User, job: Job) -> None:
    Job.objects.update(total=None)
    text = as_user(alice).get(address(job, "progress")).content.decode()
    assert "progressbar" not in text
    assert "400 done" in text


def test_the_progress_of_an_ended_job_is_asked_for_no_more(as_user: AsUser, alice: User, job: Job) -> None:
    client = as_user(alice)
    assert "HX-Refresh" not in client.get(address(job, "progress"))
    Job.objects.update(state=State.DONE, ended_at=timezone.now())
    response = client.get(address(job, "progress"))
    assert response["HX-Refresh"] == "true"
    assert "hx-get" not in response.content.decode()


def test_stopping_asks_first_and_notes_who_did_it(as_user: AsUser, alice: User, job: Job) -> None:
    client = as_user(alice)
    assert "It ends at its next step" in client.get(address(job, "stop")).content.decode()
    job.refresh_from_db()
    assert not job.cancel_requested
    assert stop(client, job) == 302
    job.refresh_from_db()
    assert (job.cancel_requested, job.cancelled_by) == (True, alice)
    assert "Stopping" in client.get(address(job)).content.decode()
    assert "Stopped." in client.get(address(job, "history")).content.decode()


def test_what_has_ended_offers_no_stop_and_bears_one(as_user: AsUser, alice: User, job: Job) -> None:
    client = as_user(alice)
    assert address(job, "stop") in client.get(address(job)).content.decode()
    Job.objects.update(state=State.DONE, ended_at=timezone.now())
    assert address(job, "stop") not in client.get(address(job)).content.decode()
    assert stop(client, job) == 302
    job.refresh_from_db()
    assert (job.state, job.cancelled_by) == (State.DONE, None)


def test_text_from_elsewhere_stays_text(as_user: AsUser, alice: User, job: Job) -> None:
    Job.objects.update(message="<b>bold</b>", subject="<i>x</i>")
    text = as_user(alice).get(address(job)).content.decode()
    assert "<b>bold</b>" not in text
    assert "<i>x</i>" not in text


def test_without_jobs_the_list_says_what_they_are(as_user: AsUser, alice: User) -> None:
    assert "runs as a job and shows here" in as_user(alice).get(LIST).content.decode()


def test_the_list_costs_the_same_however_long(
    as_user: AsUser, admin: User, job: Job, django_assert_max_num_queries: object
) -> None:
    Job.objects.bulk_create(Job(kind="test.admin", by=job.by) for _ in range(30))
    client = as_user(admin)
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        client.get(LIST)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_progress_moves_by_itself_until_the_end(
    open_as: OpenAs, complaints: list[str], alice: User, job: Job
) -> None:
    page = open_as(alice, LIST)
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", "40")
    Job.objects.update(done=700)
    expect(bar).to_have_attribute("aria-valuenow", "70", timeout=10_000)
    Job.objects.update(done=1000, state=State.DONE, ended_at=timezone.now())
    expect(page.get_by_text("1000 of 1000")).to_be_visible(timeout=10_000)
    expect(page.locator("[hx-trigger='every 2s']")).to_have_count(0)
    assert complaints == []


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_job_is_stopped_from_its_page(open_as: OpenAs, alice: User, job: Job) -> None:
    page = open_as(alice, address(job))
    page.get_by_role("link", name="Stop").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopping", exact=True)).to_be_visible()
    job.refresh_from_db()
    assert job.cancelled_by == alice
