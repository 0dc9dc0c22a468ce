"""An item from a mistake in its formula to its stored series, in a browser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Locator, Page, expect

from apps.accounts.models import User
from apps.analytics import keeping
from apps.analytics.models import AnalyticsItem
from apps.devices.models import Device
from apps.houses.models import House
from apps.jobs.models import Job
from apps.readings import store
from apps.readings.samples import DAY
from tests import axe
from tests.analytics.conftest import MakeItem
from tests.analytics.performing import perform
from tests.browser import OpenAs
from tests.jobs.conftest import queue as queue
from tests.readings.building import held, put

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("queue"),
]

POWER = "status.Pac_total_W"
PATIENCE_MS = 20_000


@pytest.fixture
def days(sonnen: Device, meter: Device) -> list[int]:
    """Three days of the battery, up to this minute; the newest last."""
    now = int(datetime.now(UTC).timestamp() * 1000) // 60_000 * 60_000
    days = [now // DAY - back for back in (2, 1, 0)]
    for day in days:
        end = min(now, (day + 1) * DAY - 60_000)
        put(sonnen.source, POWER, {end - 60_000 * minute: -1500.0 for minute in (2, 1, 0)})
        store.compact(sonnen.source.pk, day)
    return days


def left_of(one: Locator) -> float:
    box = one.bounding_box()
    assert box is not None
    return box["x"]


def write_formula(page: Page) -> None:
    """First with a mistake, which is told under its column; then with a name that is offered."""
    field = page.get_by_label("Formula")
    field.press_sequentially(f"-neg(sonen.{POWER}/1000)")
    field.press("Escape")
    expect(page.locator(".formula-error")).to_have_text(
        f"Column 6: This house has no series “sonen.{POWER}”. Did you mean sonnen.{POWER}?"
    )
    expect(field).to_have_attribute("aria-invalid", "true")
    marked, caret = page.locator("[data-excerpt] mark"), page.locator("[data-caret]")
    assert marked.inner_text() == f"sonen.{POWER}"
    assert abs(left_of(marked) - left_of(caret)) < 2

    field.fill("-neg(")
    field.press_sequentially("pac_tot")
    option = page.get_by_role("option", name=f"sonnen.{POWER}")
    expect(option).to_be_visible()
    field.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    field.press("Enter")
    field.press_sequentially("/1000)")
    field.press("Escape")
    expect(field).to_have_value(f"-neg(sonnen.{POWER}/1000)")
    expect(page.locator(".formula-facts")).to_contain_text("power in kW")
    expect(field).to_have_attribute("aria-invalid", "false")


def test_an_item_is_written_previewed_saved_and_kept(
    open_as: OpenAs, alice: User, house_a: House, days: list[int], complaints: list[str]
) -> None:
    page = open_as(alice, "/admin/analytics/analyticsitem/add/")
    page.get_by_role("combobox", name="House").select_option("House A")
    page.get_by_label("Name").first.fill("charging")
    write_formula(page)
    page.get_by_role("button", name="Last week").click()
    expect(page.locator("[data-preview-note]")).to_contain_text("from 1.5 to 1.5 kW", timeout=PATIENCE_MS)
    expect(page.locator("[data-preview-chart] .scatterlayer .trace")).to_have_count(1)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".item-state strong").first).to_have_text("off")

    page.get_by_role("link", name="Switch aggregation on").click()
    page.get_by_role("button", name="Switch on").click()
    state = page.locator(".item-state").first
    expect(state).to_contain_text(f"0 of {len(days)} days are computed.")
    expect(state.get_by_role("progressbar")).to_have_attribute("value", "0")
    source_id = AnalyticsItem.objects.get().source_id
    assert source_id is not None
    keeping.compute(source_id, days[-1])
    expect(state).to_contain_text(f"1 of {len(days)} days are computed.", timeout=PATIENCE_MS)  # by itself
    perform(Job.objects.get())
    expect(state).to_contain_text(f"{len(days)} days kept.", timeout=PATIENCE_MS)
    assert axe.faults(page) == []

    stored = held(AnalyticsItem.objects.get().source, "value", days[0] * DAY, (days[-1] + 1) * DAY)  # type: ignore[arg-type]
    assert set(stored.values()) == {1.5}
    page = open_as(alice, "/admin/readings/series/?q=charging")
    expect(page.get_by_role("row").filter(has_text="charging").filter(has_text="value")).to_contain_text("kW")
    assert complaints == []


def test_an_edit_shows_what_is_computed_again(
    open_as: OpenAs, alice: User, days: list[int], make: MakeItem, complaints: list[str]
) -> None:
    item = make("battery", f"sonnen.{POWER}/1000", aggregate=True)
    make("charging", "-neg(analytics.battery)", aggregate=True)
    page = open_as(alice, f"/admin/analytics/analyticsitem/{item.pk}/change/")
    page.get_by_label("Formula").fill(f"-sonnen.{POWER}/1000")
    page.get_by_role("button", name="Save", exact=True).click()
    rows = page.get_by_role("row")
    expect(rows.nth(1)).to_contain_text(f"battery {len(days)}", use_inner_text=True)
    expect(rows.nth(2)).to_contain_text("charging")
    assert axe.faults(page) == []
    page.get_by_role("button", name="Save and compute again").click()
    expect(page.get_by_role("row", name="battery House A")).to_contain_text("computing", ignore_case=True)
    item.refresh_from_db()
    assert item.version == 2
    assert complaints == []


def test_the_required_items_are_seen_before_they_are_made(
    open_as: OpenAs, alice: User, house_a: House, days: list[int], complaints: list[str]
) -> None:
    page = open_as(alice, f"/admin/houses/house/{house_a.pk}/change/")
    page.get_by_role("link", name="See what can be created").click()
    expect(page.get_by_role("row").filter(has_text="ev_event_count")).to_contain_text("No EV charger")
    assert axe.faults(page) == []
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Created: battery")).to_be_visible()
    expect(page.get_by_text("House A lacks 5 of the 16 items")).to_be_visible()
    assert axe.faults(page) == []
    assert AnalyticsItem.objects.filter(house=house_a).count() == 11
    assert complaints == []
