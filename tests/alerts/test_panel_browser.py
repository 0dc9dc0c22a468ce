"""The alerts of a house in a real browser: they come and go without loading the page again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert
from apps.alerts.mutations import acknowledge, clear, open_or_renew
from apps.devices.models import Device
from tests.browser import OpenAs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The page asks every 5 s.
PATIENCE_MS = 20_000


def warned(egauge: Device) -> Alert:
    return open_or_renew(
        house=egauge.source.house,
        source=egauge.source,
        kind=Kind.WARNING,
        key="x",
        evidence={"text": "<b>no answer</b>"},
        at=datetime.now(UTC),
    )


def test_an_alert_comes_and_goes_with_the_refreshes(
    open_as: OpenAs, alice: User, egauge: Device, complaints: list[str]
) -> None:
    shown: Page = open_as(alice, "/")
    panel = shown.locator("[data-alerts]")
    expect(panel).to_be_hidden()

    alert = warned(egauge)
    expect(panel.locator("[data-alerts-open] li")).to_contain_text("<b>no answer</b>", timeout=PATIENCE_MS)
    acknowledge(alert=alert, by=alice, at=datetime.now(UTC))
    expect(panel.locator("[data-alerts-open] li")).to_contain_text("seen", timeout=PATIENCE_MS)
    clear(alert=alert, at=datetime.now(UTC))
    expect(panel.locator("[data-alerts-over] li")).to_contain_text("no answer", timeout=PATIENCE_MS)
    expect(panel.locator("[data-alerts-open]")).to_be_hidden()
    assert complaints == []


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_phones_and_desks(open_as: OpenAs, alice: User, egauge: Device, width: int) -> None:
    warned(egauge)
    shown = open_as(alice, "/")
    shown.set_viewport_size({"width": width, "height": 800})
    expect(shown.locator("[data-alerts]")).to_be_visible()
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
