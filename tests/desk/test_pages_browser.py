"""A house's page in a real browser, under the real content security policy."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses.models import House
from apps.readings import store
from tests.browser import OpenAs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The page asks every 5 s and doubles that after a failure.
PATIENCE_MS = 20_000


@pytest.fixture
def meter(house_a: House) -> Device:
    config = {"ip": "192.0.2.7", "keys": ["A.Solar", "A.Load"]}
    device = create_device(house=house_a, name="egauge", type="egauge", config=config)
    report(device, solar=2.5, load=-0.75)
    return device


def report(device: Device, *, solar: float, load: float, ago: timedelta = timedelta(0)) -> None:
    """Store a reading of this moment, or of a while ago."""
    now = datetime.now(UTC) - ago
    block = store.Block(
        fields=("A.Solar", "A.Load", "_length"),
        stamps=np.array([int(now.timestamp() * 1000)], dtype=np.int64),
        values=np.array([[solar], [load], [10_000.0]]),
    )
    store.append([store.Upload(source_id=device.pk, blocks=(block,))], received_at=now)


@pytest.fixture
def shown(open_as: OpenAs, bob: User, meter: Device) -> Page:
    """House A's page as Bob sees it."""
    return open_as(bob, "/")


def test_the_page_draws_its_chart_under_the_policy(shown: Page, complaints: list[str]) -> None:
    expect(shown.locator("[data-card=solar] [data-value]")).to_have_text("2.50")
    expect(shown.locator("[data-status]")).to_have_text("Live")
    expect(shown.locator("[data-chart] .scatterlayer .trace")).to_have_count(3)  # two lines and an area
    assert complaints == []


def test_new_readings_appear_without_loading_the_page_again(shown: Page, meter: Device) -> None:
    expect(shown.locator("[data-status]")).to_have_text("Live")
    shown.evaluate("window.loadedOnce = true")
    report(meter, solar=3.25, load=-0.75)

    expect(shown.locator("[data-card=solar] [data-value]")).to_have_text("3.25", timeout=PATIENCE_MS)
    assert shown.evaluate("window.loadedOnce") is True


@pytest.fixture
def unheard(open_as: OpenAs, bob: User, house_a: House) -> Device:
    """A meter of Bob's that never reported."""
    return create_device(
        house=house_a, name="egauge", type="egauge", config={"ip": "192.0.2.7", "keys": ["A.Solar", "A.Load"]}
    )


def test_a_house_not_heard_yet_waits_and_comes_to_life(unheard: Device, open_as: OpenAs, bob: User) -> None:
    page = open_as(bob, "/")
    expect(page.locator("[data-status]")).to_have_text("Waiting for the first reading")
    expect(page.get_by_text("No reading has arrived yet")).to_be_visible()
    expect(page.locator("[data-chart] .ytick")).to_have_count(0)  # no values, no numbers

    report(unheard, solar=1.5, load=-0.75)
    expect(page.locator("[data-status]")).to_have_text("Live", timeout=PATIENCE_MS)
    expect(page.get_by_text("No reading has arrived yet")).to_be_hidden()
    expect(page.locator("[data-chart] .ytick").first).to_be_visible()


def test_a_house_that_fell_silent_is_not_called_live(unheard: Device, open_as: OpenAs, bob: User) -> None:
    report(unheard, solar=1.5, load=-0.75, ago=timedelta(hours=1))
    expect(open_as(bob, "/").locator("[data-status]")).to_have_text("No new readings")


def test_a_lost_connection_is_told_and_overcome(shown: Page) -> None:
    expect(shown.locator("[data-status]")).to_have_text("Live")
    shown.route("**/live/", lambda route: route.abort())
    expect(shown.locator("[data-status]")).to_contain_text(
        "Connection lost, showing data of", timeout=PATIENCE_MS
    )
    shown.unroute("**/live/")

    expect(shown.locator("[data-status]")).to_have_text("Live", timeout=PATIENCE_MS)


def test_a_chosen_theme_redraws_the_chart_and_is_remembered(shown: Page) -> None:
    shown.emulate_media(color_scheme="light")
    line = shown.locator("[data-chart] .scatterlayer .trace path.js-line").first
    light = line.evaluate("line => getComputedStyle(line).stroke")

    shown.locator("[data-theme-toggle]").click()
    expect(line).not_to_have_css("stroke", light)
    shown.reload()

    expect(line).not_to_have_css("stroke", light)


def test_a_line_can_be_hidden(shown: Page) -> None:
    traces = shown.locator("[data-chart] .scatterlayer .trace")
    expect(traces).to_have_count(3)

    shown.locator("[data-chip=load]").click()

    expect(traces).to_have_count(2)
    expect(shown.locator("[data-chip=load]")).to_have_attribute("aria-pressed", "false")


def test_voltage_and_frequency_are_drawn_and_said(
    open_as: OpenAs, bob: User, house_a: House, complaints: list[str]
) -> None:
    config = {"ip": "192.0.2.7", "keys": ["A.L1_Voltage", "A.L1_Frequency"]}
    device = create_device(house=house_a, name="mains", type="egauge", config=config)
    now = int(datetime.now(UTC).timestamp() * 1000)
    block = store.Block(
        ("A.L1_Voltage", "A.L1_Frequency", "_length"),
        np.array([now], dtype=np.int64),
        np.array([[231.0], [50.0], [10_000.0]]),
    )
    store.append([store.Upload(device.pk, (block,))], received_at=datetime.now(UTC))
    page = open_as(bob, "/")
    expect(page.locator("[data-supply-chart] .scatterlayer .trace")).to_have_count(2)
    expect(page.locator("[data-supply-summary]")).to_contain_text("voltage 231.0 to 231.0 V")
    assert complaints == []


def test_nothing_is_wider_than_a_phone(shown: Page) -> None:
    shown.set_viewport_size({"width": 360, "height": 740})
    expect(shown.locator("[data-status]")).to_have_text("Live")

    assert shown.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.browser_context_args(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
def test_a_finger_on_the_chart_reads_its_values(shown: Page) -> None:
    readout = shown.locator("[data-readout]")
    plot = shown.locator("[data-chart] .nsewdrag")
    expect(shown.locator("[data-chart] .scatterlayer .trace")).to_have_count(3)

    plot.tap(position={"x": 1, "y": 40})
    expect(readout.locator("[data-readout-time]")).to_have_text(re.compile(r"^00:0\d$"))
    shown.locator("h1").tap()

    expect(readout).to_be_hidden()
