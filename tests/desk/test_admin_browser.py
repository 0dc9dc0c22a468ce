"""The admin in a real browser, under the real content security policy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.houses.models import House
from tests.browser import OpenAs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(open_as: OpenAs, alice: User) -> Page:
    """Alice's browser on the first page of the admin."""
    return open_as(alice, "/admin/")


def test_a_new_house_shows_its_credential_once_to_copy_and_to_download(
    desk: Page, complaints: list[str], tmp_path: Path
) -> None:
    desk.get_by_role("link", name="Add a house").click()
    desk.get_by_label("Name").first.fill("mill")
    desk.get_by_role("button", name="Save", exact=True).click()

    dialog = desk.get_by_role("dialog", name="The credential of mill")
    expect(dialog).to_be_visible()
    with desk.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "bundle")
    assert download.value.suggested_filename == "mill.json"
    assert json.loads((tmp_path / "bundle").read_text())["house"] == "mill"

    desk.keyboard.press("Escape")
    expect(dialog).to_be_visible()  # Escape would lose it by accident
    dialog.get_by_role("button", name="I have it").click()
    expect(dialog).to_have_count(0)
    desk.reload()
    expect(dialog).to_have_count(0)
    assert complaints == []


@pytest.mark.browser_context_args(timezone_id="Asia/Kathmandu")
def test_a_new_house_is_where_the_browser_is_and_another_zone_is_found_by_typing(
    desk: Page, complaints: list[str]
) -> None:
    desk.get_by_role("link", name="Add a house").click()
    shown = desk.locator("#select2-id_time_zone-container")
    expect(shown).to_have_text(re.compile(r"Asia/Kat\w+"))  # browsers know it by an old name too

    shown.click()
    expect(desk.get_by_role("searchbox", name="Search: Time zone")).to_be_focused()
    desk.keyboard.type("brussels")
    desk.keyboard.press("Enter")
    expect(shown).to_have_text("Europe/Brussels")
    desk.get_by_label("Name").first.fill("mill")
    desk.get_by_role("button", name="Save", exact=True).click()
    expect(desk.get_by_role("dialog", name="The credential of mill")).to_be_visible()
    assert House.objects.get(name="mill").time_zone == "Europe/Brussels"
    assert complaints == []


def test_rotating_asks_first_and_then_shows_the_new_credential(
    desk: Page, house_a: House, complaints: list[str]
) -> None:
    desk.get_by_role("link", name="House A", exact=True).click()
    desk.get_by_text("Credentials").first.click()
    desk.get_by_role("link", name="Rotate credentials").click()
    desk.get_by_role("button", name="Rotate").click()
    expect(desk.get_by_role("dialog", name="The credential of house-a")).to_be_visible()
    assert house_a.credentials.count() == 1
    assert complaints == []


def test_a_credential_is_revoked_from_its_row(desk: Page, house_a: House, complaints: list[str]) -> None:
    desk.get_by_role("link", name="House A", exact=True).click()
    desk.get_by_text("Credentials").first.click()
    desk.get_by_role("link", name="Add a credential").click()
    desk.get_by_role("button", name="Add", exact=True).click()
    desk.get_by_role("button", name="I have it").click()
    desk.get_by_role("link", name="Revoke", exact=True).click()
    desk.get_by_role("button", name="Revoke").click()
    expect(desk.get_by_text("is revoked.")).to_be_visible()
    assert house_a.credentials.get().revoked_at
    assert complaints == []
