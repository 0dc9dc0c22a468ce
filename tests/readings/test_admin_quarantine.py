"""Quarantine and decisions in the admin: who sees and decides what, and what a decision does."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.houses.models import House
from apps.readings import quarantine, store
from apps.readings.counters import Decision, Register, Step, Why
from apps.readings.decisions import decide
from apps.readings.models import CounterDecision, Invalidation, Kind, QuarantinedStep, Series, Source
from apps.readings.series import FieldSpec, declare
from tests.people import AsUser, person
from tests.readings.building import DAY, NOW, T0, put

STEPS = reverse("admin:readings_quarantinedstep_changelist")
DECISIONS = reverse("admin:readings_counterdecision_changelist")
KINDS = ["accept", "reject", "swap"]
SENT = {"_form_submitted": "on"}  # what a dialog posts


@pytest.fixture
def meter(source: Source) -> Series:
    declare(source=source, fields=[FieldSpec("E", unit="kWh", kind=Kind.COUNTER)])
    put(source, "E", {T0 + 10: 4000.0, T0 + 20: 4001.25, T0 + 30: 12.3, T0 + 40: 12.5})
    store.compact(source.pk, DAY)
    Invalidation.objects.all().delete()
    return source.series.get()


@pytest.fixture
def step(meter: Series) -> QuarantinedStep:
    told = Step(Register(T0 + 20, 4001.25), Register(T0 + 30, 12.3), Why.LOWER)
    quarantine.record(series_id=meter.pk, day=DAY, steps=[told])
    return QuarantinedStep.objects.get()


@pytest.fixture
def stranger(house_b: House) -> User:
    """An operator of another house."""
    return person("dora", Role.OPERATOR, house_b)


def page(of: QuarantinedStep | CounterDecision) -> str:
    return reverse(f"admin:readings_{of._meta.model_name}_change", args=[of.pk])


def action(name: str, of: QuarantinedStep | CounterDecision) -> str:
    return reverse(f"admin:readings_{of._meta.model_name}_{name}", args=[of.pk])


def answer(client: Client, name: str, step: QuarantinedStep, stamp: int | None = None) -> int:
    dialog = {**SENT, "reading": step.stamp if stamp is None else stamp}
    return client.post(action(name, step), dialog, HTTP_HX_REQUEST="true").status_code


def test_the_list_says_where_when_and_what(as_user: AsUser, alice: User, step: QuarantinedStep) -> None:
    text = as_user(alice).get(STEPS).content.decode()
    for shown in (
        "House A",
        "device1",
        "2026-03-10 00:00:00 UTC",
        "4,001.25",
        "12.3 kWh",
        "Fell and grows on",
    ):
        assert shown in text


def test_an_empty_list_says_what_would_be_in_it(as_user: AsUser, alice: User) -> None:
    assert "Nothing waits" in as_user(alice).get(STEPS).content.decode()
    assert "can be revoked" in as_user(alice).get(DECISIONS).content.decode()


def test_a_page_shows_the_readings_around_it(as_user: AsUser, alice: User, step: QuarantinedStep) -> None:
    text = as_user(alice).get(page(step)).content.decode()
    assert "12.3 ←" in text
    assert "4,000" in text
    assert "If the meter was changed" in text


def test_people_see_the_steps_of_their_houses(
    as_user: AsUser, admin: User, stranger: User, bob: User, ann: User, step: QuarantinedStep
) -> None:
    assert "4,001.25" in as_user(admin).get(STEPS).content.decode()
    assert "4,001.25" not in as_user(stranger).get(STEPS).content.decode()
    assert as_user(stranger).get(page(step)).status_code == 404
    for someone in (bob, ann):
        assert as_user(someone).get(STEPS).status_code == 403


@pytest.mark.parametrize("kind", KINDS)
def test_an_operator_decides(as_user: AsUser, alice: User, step: QuarantinedStep, kind: str) -> None:
    assert answer(as_user(alice), kind, step) == 200
    decision = CounterDecision.objects.get()
    assert (decision.kind, decision.stamp, decision.by) == (kind, T0 + 30, alice)
    assert list(Invalidation.objects.values_list("day", flat=True)) == [DAY]


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_else_decides(
    as_user: AsUser, stranger: User, bob: User, charlie: User, step: QuarantinedStep, kind: str
) -> None:
    assert answer(as_user(stranger), kind, step) == 404
    for someone in (bob, charlie):
        assert answer(as_user(someone), kind, step) == 403
    assert answer(Client(), kind, step) == 302
    assert not CounterDecision.objects.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_looking_at_a_dialog_decides_nothing(
    as_user: AsUser, alice: User, step: QuarantinedStep, kind: str
) -> None:
    dialog = as_user(alice).get(action(kind, step)).content.decode()
    assert "worked out again within minutes" in dialog
    assert "4,001.25 kWh" in dialog
    assert not CounterDecision.objects.exists()


def test_decisions_need_a_csrf_token(alice: User, step: QuarantinedStep) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert answer(client, "swap", step) == 403
    assert not CounterDecision.objects.exists()


def test_a_reading_beside_the_step_can_be_the_wrong_one(
    as_user: AsUser, alice: User, step: QuarantinedStep
) -> None:
    answer(as_user(alice), "reject", step, T0 + 20)
    assert CounterDecision.objects.get().stamp == T0 + 20


def test_only_readings_around_the_step_can_be_decided_on(
    as_user: AsUser, alice: User, step: QuarantinedStep
) -> None:
    answer(as_user(alice), "reject", step, T0 + 25)
    assert not CounterDecision.objects.exists()


def test_what_is_decided_leaves_the_list(as_user: AsUser, alice: User, step: QuarantinedStep) -> None:
    answer(as_user(alice), "swap", step)
    assert "4,001.25" not in as_user(alice).get(STEPS).content.decode()
    text = as_user(alice).get(DECISIONS).content.decode()
    assert "4,001.25" in text
    assert "Marked as swap" in text


def test_a_reading_before_the_seal_says_why_nothing_follows(
    as_user: AsUser, alice: User, step: QuarantinedStep, source: Source
) -> None:
    Source.objects.filter(pk=source.pk).update(sealed_before=step.stamp)
    client = as_user(alice)
    answer(client, "reject", step, T0 + 20)
    assert "stay as they are" in client.get(STEPS).content.decode()
    assert not CounterDecision.objects.exists()


class TestRevoking:
    @pytest.fixture
    def decision(self, step: QuarantinedStep, alice: User) -> CounterDecision:
        return decide(series=step.series, stamp=step.stamp, kind=Decision.SWAP, by=alice, at=NOW)

    def test_an_operator_takes_a_decision_back_once(
        self, as_user: AsUser, alice: User, decision: CounterDecision
    ) -> None:
        client = as_user(alice)
        client.post(action("revoke", decision), SENT, HTTP_HX_REQUEST="true")
        decision.refresh_from_db()
        assert decision.revoked_by == alice
        assert reverse("admin:readings_counterdecision_revoke", args=[decision.pk]) not in (
            client.get(page(decision)).content.decode()
        )
        assert "4,001.25" in client.get(STEPS).content.decode()

    def test_nobody_else_does(
        self, as_user: AsUser, stranger: User, bob: User, decision: CounterDecision
    ) -> None:
        assert as_user(stranger).post(action("revoke", decision), SENT).status_code == 404
        assert as_user(bob).post(action("revoke", decision), SENT).status_code == 403
        decision.refresh_from_db()
        assert decision.revoked_at is None

    def test_people_see_the_decisions_of_their_houses(
        self, as_user: AsUser, alice: User, stranger: User, decision: CounterDecision
    ) -> None:
        assert "Marked as swap" in as_user(alice).get(page(decision)).content.decode()
        assert as_user(stranger).get(page(decision)).status_code == 404
        assert "4,001.25" not in as_user(stranger).get(DECISIONS).content.decode()


def test_lists_cost_the_same_however_long(
    as_user: AsUser, alice: User, meter: Series, django_assert_max_num_queries: object
) -> None:
    steps = [Step(Register(T0 + n, 5.0), Register(T0 + n + 1, 4.0), Why.LOWER) for n in range(0, 60, 2)]
    quarantine.record(series_id=meter.pk, day=DAY, steps=steps)
    for n in range(30):
        CounterDecision.objects.create(
            series=meter, stamp=T0 + 1000 + n, value=1, kind=Decision.SWAP, at=NOW, by=alice
        )
    client = as_user(alice)
    for url in (STEPS, DECISIONS):
        with django_assert_max_num_queries(10):  # type: ignore[operator]
            client.get(url)
