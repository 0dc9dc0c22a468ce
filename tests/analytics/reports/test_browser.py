"""A report in a real browser, under the real content security policy."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.houses.models import House
from tests import axe
from tests.analytics.reports.test_views import TWO_DAYS
from tests.browser import OpenAs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUESTION = urlencode(TWO_DAYS | {"every": "1d"})


def test_a_bar_is_drawn_explained_and_fits_a_phone(
    metered: House, bob: User, open_as: OpenAs, complaints: list[str]
) -> None:
    page = open_as(bob, f"/houses/{metered.pk}/reports/solar/?{QUESTION}")
    expect(page.locator("[data-report-chart] .barlayer .point").first).to_be_visible()
    explanation = page.locator("[data-explanation]")

    page.locator("summary", has_text="Numbers").click()
    page.get_by_role("button", name="Mon 1 Jun 2026").click()

    expect(explanation).to_contain_text("24.0 kWh is the integral of pos(egauge.A.Solar) (version 1)")
    expect(explanation.get_by_role("cell", name="egauge.A.Solar")).to_be_visible()
    assert axe.faults(page) == []

    page.get_by_role("link", name="Battery").click()
    expect(page).to_have_url(re.compile(r"/reports/battery/\?period=range&first=2026-06-01&last=2026-06-02$"))
    expect(page.get_by_text("Nothing to report yet")).to_be_visible()

    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert complaints == []
