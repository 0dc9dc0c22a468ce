"""A meter set in a real browser: declared by an operator, seen on the house's page."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters.models import Meter, MeterSet
from apps.meters.sets.mutations import declare_set
from apps.readings import working
from tests.browser import OpenAs
from tests.meters.sets.conftest import HOUR, NOW, QUARTER, make_meter, put, run, specs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FIELDS = ("energy", "power", "reactive_power", "voltage_ll")


def sun(stamps: np.ndarray) -> np.ndarray:
    """kW over a UTC day."""
    return 130 * np.maximum(0, np.sin((stamps / HOUR % 24 - 6) * np.pi / 12))


def days(house: House, count: int = 5) -> tuple[Meter, Meter]:
    """A solar and a load meter with readings up to now; the solar one's logger is three hours late."""
    solar, load = make_meter(house, "solar_roof", *FIELDS), make_meter(house, "building_load", *FIELDS)
    now = int(time.time() * 1000) // QUARTER * QUARTER
    stamps = np.arange(now - count * 96 * QUARTER, now + 1, QUARTER, dtype=np.int64)
    kw = 70 + 30 * np.sin(stamps / HOUR % 24 / 24 * 2 * np.pi - 2)
    put(
        load.source,
        stamps,
        power=lambda _: kw,
        reactive_power=lambda _: 0.33 * kw,
        voltage_ll=399.0,
        energy=lambda _: 5e4 + np.cumsum(kw) / 4,
    )
    late = stamps[:-12]
    put(
        solar.source,
        late,
        power=sun,
        reactive_power=0.0,
        voltage_ll=400.0,
        energy=lambda own: 900 + np.cumsum(sun(own)) / 4,
    )
    return solar, load


def picture(page: Page, name: str) -> None:
    """Keep what is seen, for who asks for it by PICTURES=folder."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_an_operator_declares_what_meters_measure_and_sees_the_missing_one(
    open_as: OpenAs, alice: User, house_a: House, complaints: list[str]
) -> None:
    days(house_a)
    page = open_as(alice, f"/houses/{house_a.pk}/")
    page.get_by_role("link", name="Declare its meters").click()
    # The names of the meters suggest what they measure.
    expect(page.get_by_label("Measures").first).to_have_value("load")
    picture(page, "declare")
    page.get_by_role("button", name="See what follows").click()
    expect(page.locator(".set-words")).to_have_text("utility = load − solar")
    expect(page.get_by_text("days are worked out")).to_be_visible()
    picture(page, "consequences")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("follows from the meters of House A")).to_be_visible()
    picture(page, "declared")
    run()
    working.roll_all(seconds=20)
    page = open_as(alice, f"/houses/{house_a.pk}/")
    panel = page.locator("[data-meters]")
    expect(panel).to_contain_text("Utility meter (derived)")
    expect(panel.locator("[data-meters-chart] .scatterlayer .trace")).to_have_count(3)
    panel.get_by_text("Where the numbers come from").click()
    expect(panel.get_by_role("group", name="Inputs")).to_contain_text("solar_roof")
    expect(panel).to_contain_text("worked out as utility = load − solar")
    picture(page, "panel")
    assert complaints == []


def test_the_panel_follows_what_arrives(
    open_as: OpenAs, bob: User, house_a: House, complaints: list[str]
) -> None:
    solar, load = days(house_a, 2)
    declare_set(house=house_a, topology="no_utility", members=specs(solar, load), now=NOW)
    run()
    page = open_as(bob, f"/houses/{house_a.pk}/")
    panel = page.locator("[data-meters]")
    expect(panel.locator("[data-freshness=waiting] strong")).to_be_visible()
    before = panel.get_attribute("data-meters")
    now = int(time.time() * 1000) // QUARTER * QUARTER
    stamps = np.arange(now - 11 * QUARTER, now + 1, QUARTER, dtype=np.int64)
    put(solar.source, stamps, power=sun, reactive_power=0.0)
    run()
    expect(panel).not_to_have_attribute("data-meters", before or "", timeout=20_000)
    assert complaints == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_phones_and_desks(
    open_as: OpenAs, bob: User, alice: User, house_a: House, page: Page, width: int, scheme: str
) -> None:
    solar, load = days(house_a, 3)
    meter_set: MeterSet = declare_set(
        house=house_a, topology="no_utility", members=specs(solar, load), now=NOW
    )
    run()
    working.roll_all(seconds=20)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    shown = open_as(bob, f"/houses/{house_a.pk}/")
    expect(shown.locator("[data-meters-chart] .scatterlayer .trace").first).to_be_visible()
    picture(shown, f"panel-{width}-{scheme}")
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    admin = open_as(alice, f"/admin/meters/meterset/{meter_set.pk}/change/")
    expect(admin.get_by_role("button", name="See what follows")).to_be_visible()
    picture(admin, f"set-{width}-{scheme}")
    assert admin.evaluate("document.documentElement.scrollWidth <= innerWidth")
