"""Everybody can read and reach what is on the pages: axe-core looks at them, and the keyboard goes there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from django.contrib.admin.utils import quote
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.accounts.mutations import issue_token
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses.models import House
from apps.inbox.models import Receipt
from apps.readings import store
from tests import axe
from tests.browser import OpenAs
from tests.desk.test_admin_access import MODELS, object_of, url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

KEYS = ["A.Solar", "A.Battery", "A.Load", "A.GridPower", "A.L1_Voltage", "A.L1_Frequency"]


@pytest.fixture
def meter(house_a: House) -> Device:
    """A meter that reported just now, and something that is wrong."""
    device = create_device(
        house=house_a, name="egauge", type="egauge", config={"ip": "192.0.2.7", "keys": KEYS}
    )
    now = datetime.now(UTC)
    fields = (*KEYS, "_length")
    values = np.array([[1.0]] * len(KEYS) + [[10_000.0]])
    block = store.Block(fields, np.array([int(now.timestamp() * 1000)], dtype=np.int64), values)
    store.append([store.Upload(source_id=device.pk, blocks=(block,))], received_at=now)
    Alert.objects.create(house=house_a, source=device.source, kind=Kind.SILENT, opened_at=now)
    return device


@pytest.mark.parametrize("address", ["/accounts/login/", "/accounts/password/forgotten/", "/nowhere/"])
def test_what_strangers_see_is_for_everybody(page: Page, live_server: Any, address: str) -> None:
    page.goto(f"{live_server.url}{address}")
    assert axe.faults(page) == []


def test_the_pages_of_people_are_for_everybody(
    open_as: OpenAs, alice: User, house_a: House, house_b: House, meter: Device
) -> None:
    house_b.memberships.create(user=alice)  # a second house to choose
    issue_token(user=alice, now=timezone.now(), name="Excel")
    page = open_as(alice, f"/houses/{house_a.pk}/")
    expect(page.locator("[data-status]")).to_have_text("Live")
    page.locator(".menu.houses summary").click()
    found = axe.faults(page)
    for address in ("/accounts/", "/accounts/password/change/", "/alerts/mails/"):
        page = open_as(alice, address)
        found += axe.faults(page)
    assert found == []


def test_the_admins_first_page_is_for_everybody(
    open_as: OpenAs, admin: User, house_b: House, meter: Device
) -> None:
    assert axe.faults(open_as(admin, "/admin/")) == []


def test_lists_and_forms_of_the_admin_are_for_everybody(
    open_as: OpenAs, admin: User, house_a: House, meter: Device
) -> None:
    found = {}
    for model in MODELS:
        thing = object_of(model, house_a)
        for address in (url(model, "changelist"), url(model, "change", quote(thing.pk))):
            found[address] = axe.faults(open_as(admin, address))
    for address in ("houses/house/add/", "accounts/user/add/", "devices/device/add/?type=egauge"):
        found[address] = axe.faults(open_as(admin, f"/admin/{address}"))
    assert {address: faults for address, faults in found.items() if faults} == {}


# How a thing looks, with what is close around it: some show the focus by their frame.
_LOOK = """const look = one => [one, one.parentElement, one.parentElement.parentElement].map(each => {
  const {outline, boxShadow, borderColor, backgroundColor, top} = getComputedStyle(each);
  return [outline, boxShadow, borderColor, backgroundColor, top].join();
}).join();"""
# What a mouse can use, as far as it is shown; of radio buttons the keyboard reaches the group.
_USABLE = f"""() => {{ {_LOOK}
  return [...document.querySelectorAll(
    "a[href], button, summary, input:not([type=hidden], [type=radio]), select, textarea")]
  .filter(one => one.checkVisibility({{visibilityProperty: true}}) && !one.disabled && one.tabIndex >= 0)
  .map((one, number) => {{
    [one.dataset.usable, one.dataset.plain] = [number, look(one)];
    return one.outerHTML.slice(0, 120);
  }}); }}"""
_FOCUSED = f"""() => {{ {_LOOK}
  const one = document.activeElement;
  return one === document.body ? null : [one.dataset.usable ?? "", look(one) !== one.dataset.plain]; }}"""


def unreached(page: Page) -> list[str]:
    """What Tab, pressed from the top, does not come to or comes to without showing it."""
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("document.activeElement.blur()")
    usable = page.evaluate(_USABLE)
    seen: set[str] = set()
    for _ in range(3 * len(usable) + 10):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused is None and seen:
            break
        if focused and focused[1]:
            seen.add(focused[0])
    return [html for number, html in enumerate(usable) if str(number) not in seen]


def test_the_keyboard_reaches_everything_on_the_live_page(
    open_as: OpenAs, alice: User, house_a: House, house_b: House, meter: Device
) -> None:
    house_b.memberships.create(user=alice)
    page = open_as(alice, f"/houses/{house_a.pk}/")
    expect(page.locator("[data-status]")).to_have_text("Live")
    assert unreached(page) == []

    page.locator(".menu.houses summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="House A")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".menu.houses summary")).to_be_focused()
    page.locator("[data-chip=load]").focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-chip=load]")).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_reaches_everything_in_a_form(open_as: OpenAs, admin: User) -> None:
    page = open_as(admin, "/admin/accounts/user/add/")
    assert unreached(page) == []

    page.get_by_label("E-mail").fill("nora@example.com")
    page.get_by_label("Name").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is mailed a link")).to_be_visible()
    assert User.objects.get(email="nora@example.com").role == "operator"


def test_the_keyboard_skips_what_comes_before_the_content(open_as: OpenAs, alice: User) -> None:
    for address in ("/", "/admin/"):
        page = open_as(alice, address)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"


def test_the_keyboard_opens_the_menu_of_credentials_and_leaves_it(
    open_as: OpenAs, admin: User, house_a: House
) -> None:
    page = open_as(admin, f"/admin/houses/house/{house_a.pk}/change/")
    assert unreached(page) == []
    opener = page.get_by_role("button", name="Credentials")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Add a credential")).to_be_focused()
    expect(opener).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    expect(page.get_by_role("link", name="Add a credential")).to_be_hidden()
    page = open_as(admin, "/admin/houses/house/")
    expect(page.get_by_role("link", name="Add house", exact=True)).to_be_visible()


def test_a_moment_has_its_name_at_both_of_its_fields(open_as: OpenAs, admin: User, house_a: House) -> None:
    page = open_as(admin, "/admin/alerts/maintenance/add/")
    for name in ("From: Date", "From: Time", "To: Date", "To: Time"):
        expect(page.get_by_label(name)).to_be_visible()
    page.locator("label", has_text="From").click()
    expect(page.get_by_label("From: Date")).to_be_focused()


def test_what_is_wide_scrolls_by_itself_on_a_phone(open_as: OpenAs, admin: User, house_a: House) -> None:
    receipt = object_of(Receipt, house_a)
    Receipt.objects.filter(pk=receipt.pk).update(metadata={"agent": "x" * 300})
    page = open_as(admin, f"/admin/inbox/receipt/{receipt.pk}/change/")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert axe.faults(page) == []
