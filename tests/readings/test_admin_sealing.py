"""Dropping readings in the admin: what is shown, what must be typed, and who may."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.houses.models import House
from apps.jobs.models import Job
from apps.readings import store
from apps.readings.models import Source
from tests.people import AsUser, person
from tests.readings.building import DAY, T0, put

BEFORE = "2026-03-12"


@pytest.fixture
def meter(source: Source) -> Source:
    put(source, "P", {T0: 1.0, T0 + 1: 2.0})
    store.compact(source.pk, DAY)
    return source


def of(thing: Source | House, before: str = "") -> str:
    name = "readings_source_seal" if isinstance(thing, Source) else "houses_house_drop_readings"
    page = reverse(f"admin:{name}", args=[thing.pk])
    return f"{page}?before={before}" if before else page


def drop(client: Client, thing: Source | House, name: str, before: str = BEFORE) -> HttpResponse:
    return client.post(of(thing), {"before": before, "name": name})


def own_page(source: Source) -> str:
    return reverse("admin:readings_source_change", args=[source.pk])


def test_the_pages_of_a_source_and_a_house_lead_there(as_user: AsUser, alice: User, meter: Source) -> None:
    house = reverse("admin:houses_house_change", args=[meter.house_id])
    for page, thing in ((own_page(meter), meter), (house, meter.house)):
        assert of(thing) in as_user(alice).get(page).content.decode()


def test_before_a_day_is_chosen_nothing_is_counted(as_user: AsUser, alice: User, meter: Source) -> None:
    text = as_user(alice).get(of(meter)).content.decode()
    assert "Show what would go" in text
    assert "Drop for good" not in text


@pytest.mark.parametrize("whole_house", [False, True])
def test_a_chosen_day_shows_what_would_go_and_drops_nothing(
    as_user: AsUser, alice: User, meter: Source, whole_house: bool
) -> None:
    text = as_user(alice).get(of(meter.house if whole_house else meter, BEFORE)).content.decode()
    assert "Before 12 March 2026 would go" in text
    assert '<th scope="row">device1</th><td class="number">1</td><td class="number">2</td>' in text
    assert not Job.objects.exists()


def test_where_nothing_would_go_it_says_what_sealing_still_does(
    as_user: AsUser, alice: User, meter: Source
) -> None:
    assert (
        "late readings of that time refused" in as_user(alice).get(of(meter, "2026-03-01")).content.decode()
    )


@pytest.mark.parametrize("whole_house", [False, True])
def test_the_typed_name_starts_the_job(
    as_user: AsUser, alice: User, meter: Source, whole_house: bool
) -> None:
    thing = meter.house if whole_house else meter
    answer = drop(as_user(alice), thing, thing.name)
    job = Job.objects.get()
    assert answer.headers["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
    assert (job.by, job.args) == (alice, {"sources": [meter.pk], "day": BEFORE})
    assert BEFORE in job.subject


@pytest.mark.parametrize(("name", "before"), [("Device1", BEFORE), ("", BEFORE), ("device1", "soon")])
def test_anything_else_starts_nothing(
    as_user: AsUser, alice: User, meter: Source, name: str, before: str
) -> None:
    assert drop(as_user(alice), meter, name, before).status_code == 200
    assert not Job.objects.exists()


def test_a_day_to_come_is_refused_in_words(as_user: AsUser, alice: User, meter: Source) -> None:
    text = drop(as_user(alice), meter, "device1", "2999-01-01").content.decode()
    assert "not begun yet" in text
    assert not Job.objects.exists()


def test_what_is_not_theirs_is_not_there(
    as_user: AsUser, meter: Source, bob: User, ann: User, house_b: House
) -> None:
    stranger = person("dora", Role.OPERATOR, house_b)
    for thing in (meter, meter.house):
        assert as_user(stranger).get(of(thing)).status_code == 404
        assert drop(as_user(stranger), thing, thing.name).status_code == 404
        for someone in (bob, ann):
            assert drop(as_user(someone), thing, thing.name).status_code == 403
    assert not Job.objects.exists()


def test_it_needs_a_csrf_token(alice: User, meter: Source) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert drop(client, meter, "device1").status_code == 403


class TestKeeping:
    def test_an_operator_says_how_long_and_is_told_what_goes_tonight(
        self, as_user: AsUser, alice: User, meter: Source
    ) -> None:
        answer = as_user(alice).post(own_page(meter), {"keep_raw_days": "7"}, follow=True)
        meter.refresh_from_db()
        assert meter.keep_raw_days == 7
        assert "are dropped for good: 2 of 1 days" in answer.content.decode()

    @pytest.mark.parametrize("bad", ["3", "many", "99999"])
    def test_it_has_bounds(self, as_user: AsUser, alice: User, meter: Source, bad: str) -> None:
        assert as_user(alice).post(own_page(meter), {"keep_raw_days": bad}).status_code == 200
        meter.refresh_from_db()
        assert meter.keep_raw_days is None

    def test_nothing_else_is_set_there(self, as_user: AsUser, alice: User, meter: Source) -> None:
        as_user(alice).post(own_page(meter), {"keep_raw_days": "", "name": "other", "enabled": ""})
        meter.refresh_from_db()
        assert (meter.name, meter.enabled) == ("device1", True)
