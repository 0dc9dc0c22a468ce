"""In a browser: from an unclaimed logger with an unknown device to the derived meter of a building."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters import passwords
from apps.meters.models import MeterSet
from apps.meters.sets import computing
from apps.readings import store, working
from apps.readings.models import Series
from tests import axe
from tests.browser import OpenAs
from tests.meters.conftest import Box, lines, row
from tests.meters.test_metering import work

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SERIAL, UNKNOWN_CLASS, KNOWN_CLASS = "0050C2300001", 4025, 4
ROWS = 40


def bring(box: Box, kw: float, **device: object) -> None:
    """Ten hours of quarters up to now: energy and power."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    first = now - timedelta(minutes=now.minute % 15) - ROWS * timedelta(minutes=15)
    made = [row(first + n * timedelta(minutes=15), f"{5000 + kw * n / 4:.3f}", kw) for n in range(ROWS + 1)]
    assert b"SUCCESS" in box.log(lines(*made), **device).content


def adopt(page: Page) -> None:
    page.get_by_role("link", name=SERIAL).click()
    page.get_by_role("link", name="Adopt").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("House").select_option(label="House A")
    dialog.get_by_label("Password").fill("set-on-the-box")
    dialog.get_by_role("button", name="Adopt").click()
    expect(page.get_by_text("is adopted for House A")).to_be_visible()
    passwords.forget()


def map_points(page: Page) -> None:
    page.goto(page.url)
    page.get_by_role("link", name="Solar roof", exact=True).click()
    page.get_by_role("link", name="Map its points").click()
    page.get_by_label("Becomes of point 0").select_option(label="Energy: the only register")
    page.get_by_label("Becomes of point 1").select_option(label="Real power")
    page.get_by_role("button", name="Save and read its files").click()
    expect(page.get_by_text("Its files are read now")).to_be_visible()
    work()


def test_from_an_unclaimed_logger_to_the_meter_that_nobody_installed(
    alice: User, house_a: House, open_as: OpenAs, complaints: list[str], live_server: object
) -> None:
    box = Box(SERIAL, "set-on-the-box")
    assert box.post("STATUS", LOOPNAME="Tower").status_code == 401
    page = open_as(alice, "/admin/meters/unclaimedlogger/")
    adopt(page)
    bring(box, 80.0, device=1, device_class=UNKNOWN_CLASS, MODBUSDEVICENAME="Solar roof")
    bring(box, 100.0, device=2, device_class=KNOWN_CLASS, MODBUSDEVICENAME="Building load")
    map_points(page)

    page = open_as(alice, f"/houses/{house_a.pk}/")
    page.get_by_role("link", name="Declare its meters").click()
    page.get_by_role("button", name="See what follows").click()
    expect(page.locator(".set-words")).to_have_text("utility = load − solar")
    expect(page.get_by_role("row", name="gridpower")).to_contain_text("derived_utility.power")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("follows from the meters of House A")).to_be_visible()

    working.sweep(now=datetime.now(UTC) + timedelta(minutes=11))
    computing.run_due()
    derived = MeterSet.objects.get().derived
    assert derived is not None
    power = Series.objects.get(source=derived.source, field="power")
    values = store.read([power.pk], start=0, end=2**53)[power.pk].values
    assert values.tolist() == pytest.approx([20] * len(values))
    page = open_as(alice, f"/houses/{house_a.pk}/")
    panel = page.locator("[data-meters]")
    expect(panel).to_contain_text("20.00 kW")
    expect(panel.locator("[data-meters-chart] .scatterlayer .trace")).to_have_count(3)
    panel.get_by_text("Where the numbers come from").click()
    lineage = panel.get_by_role("group", name="Inputs")
    expect(lineage).to_contain_text("Solar_roof")
    expect(lineage).to_contain_text("registers")
    expect(page.locator("[data-card=grid] [data-value]")).to_have_text("20.00")
    expect(page.locator("[data-card=load] [data-value]")).to_have_text("100.00")
    expect(page.locator("[data-chart] .scatterlayer .trace").first).to_be_attached()
    assert complaints == []
    assert axe.faults(page) == []
