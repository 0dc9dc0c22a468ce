"""An operator settles a swapped meter in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.readings import quarantine, store
from apps.readings.counters import Register, Step, Why
from apps.readings.models import CounterDecision, Kind, Source
from apps.readings.series import FieldSpec, declare
from tests.browser import OpenAs
from tests.readings.building import DAY, T0, put

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MINUTE = 60_000


@pytest.fixture
def swapped(source: Source) -> Source:
    declare(source=source, fields=[FieldSpec("total", unit="kWh", kind=Kind.COUNTER)])
    registers = [4000.5, 4001.25, 4001.75, 12.3, 12.5, 12.9, 13.2]
    put(source, "total", {T0 + place * 15 * MINUTE: value for place, value in enumerate(registers)})
    store.compact(source.pk, DAY)
    told = Step(Register(T0 + 30 * MINUTE, 4001.75), Register(T0 + 45 * MINUTE, 12.3), Why.LOWER)
    quarantine.record(series_id=source.series.get().pk, day=DAY, steps=[told])
    return source


def test_a_step_is_looked_at_marked_as_swap_and_taken_back(
    open_as: OpenAs, complaints: list[str], alice: User, swapped: Source
) -> None:
    desk = open_as(alice, "/admin/readings/quarantinedstep/")
    desk.get_by_role("link", name="2026-03-10 00:45:00 UTC").click()
    expect(desk.get_by_text("12.3 ←")).to_be_visible()
    desk.get_by_role("link", name="Mark as swap").click()
    dialog = desk.locator("#dialog")
    expect(dialog).to_contain_text("The step counts nothing")
    dialog.get_by_role("button", name="Mark as swap").click()
    expect(desk.get_by_text("Nothing waits.")).to_be_visible()
    assert CounterDecision.objects.get().by == alice

    desk.goto(f"{desk.url.split('/admin/')[0]}/admin/readings/counterdecision/")
    desk.get_by_role("link", name="2026-03-10 00:45:00 UTC").click()
    desk.get_by_role("link", name="Revoke").click()
    desk.locator("#dialog").get_by_role("button", name="Revoke").click()
    expect(desk.get_by_text("The decision is revoked.")).to_be_visible()
    assert complaints == []
