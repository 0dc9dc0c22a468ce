"""An operator's way from an unclaimed logger to readings, in a browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters import passwords
from apps.meters.models import Layout, Logger, Meter
from tests.browser import OpenAs
from tests.meters.conftest import Box, Reader, lines
from tests.meters.test_metering import work
from tests.meters.test_parsing import small

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_logger_is_adopted_and_an_unknown_class_mapped(
    alice: User, house_a: House, open_as: OpenAs, complaints: list[str], readings: Reader
) -> None:
    box = Box("0050C2300001", "set-on-the-box")
    assert box.post("STATUS", LOOPNAME="Tower").status_code == 401
    page = open_as(alice, "/admin/meters/unclaimedlogger/")
    page.get_by_role("link", name="0050C2300001").click()
    page.get_by_role("link", name="Adopt").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("House").select_option(label="House A")
    dialog.get_by_label("Password").fill("set-on-the-box")
    dialog.get_by_role("button", name="Adopt").click()
    expect(page.get_by_text("is adopted for House A")).to_be_visible()
    passwords.forget()
    box.log(lines(*(small(n, 10 + n, n=n) for n in range(4))), device_class=4025)
    page.goto(page.url)
    page.get_by_role("link", name="Main", exact=True).click()
    page.get_by_role("link", name="Map its points").click()
    page.get_by_label("Becomes of point 0").select_option(label="Energy: the only register")
    page.get_by_label("Becomes of point 1").select_option(label="Real power")
    shot(page, "map")
    page.get_by_role("button", name="Save and read its files").click()
    expect(page.get_by_text("Its files are read now")).to_be_visible()
    work()
    assert list(readings().values()) == [10, 11, 12, 13]
    assert (Logger.objects.count(), Layout.objects.get().state) == (1, "mapped")
    page.goto(page.url)
    shot(page, "device")
    page.goto(page.url.split("/admin/")[0] + f"/admin/meters/meter/{Meter.objects.get().pk}/change/")
    expect(page.get_by_role("cell", name="13", exact=True)).to_be_visible()
    shot(page, "meter")
    for name in ("logger", "loggerdevice", "uploadfile", "uploadsession", "deviceclass", "assignment"):
        page.goto(page.url.split("/admin/")[0] + f"/admin/meters/{name}/")
        shot(page, f"{name}s")
    page.goto(page.url.split("/admin/")[0] + f"/admin/meters/logger/{Logger.objects.get().pk}/change/")
    shot(page, "logger")
    assert complaints == []


def shot(page: Page, name: str) -> None:
    """Keep a picture where WATTDESK_SHOTS names a folder, for people to look at."""
    if folder := os.environ.get("WATTDESK_SHOTS"):
        for width, scheme in ((1280, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=str(Path(folder) / f"{name}-{width}.png"), full_page=True)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
