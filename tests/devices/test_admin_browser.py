"""A type of device that nobody knew, used from its form to a chart with no other edit than its folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.models import House
from apps.jobs.models import Job
from tests.browser import OpenAs
from tests.devices.conftest import CONFIG
from tests.devices.newtypes import KIND
from tests.devices.newtypes import dropped_in as dropped_in  # fixtures
from tests.jobs.conftest import queue as queue

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATIENCE_MS = 20_000
AGENT = """
import sys
from collectors import drivers
drivers.__path__.append(sys.argv.pop(1))  # as if the folder lay beside the others
from collectors.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def pump(tmp_path: Path) -> Path:
    """What a heat pump says."""
    values = tmp_path / "pump.json"
    values.write_text(json.dumps({"north": 1.5, "south": 0.25}))
    return values


@pytest.fixture
def agent(
    live_server: LiveServer, settings: Settings, house_a: House, dropped_in: Path, tmp_path: Path
) -> Iterator[None]:
    """The agent of house A, with the new type in its folder of drivers."""
    settings.PUBLIC_URL = live_server.url
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps(credentials.issue(house=house_a).as_dict()))
    bundle.chmod(0o600)
    command = [
        sys.executable,
        "-c",
        AGENT,
        str(dropped_in),
        "agent",
        "--bundle",
        str(bundle),
        "--config",
        "1",
    ]
    with subprocess.Popen(command) as process:
        yield
        process.terminate()


def add_pump(page: Page, pump: Path) -> None:
    """Add one by its form, first with a setting that its driver does not like."""
    page.get_by_role("link", name="Heat pump").click()
    page.get_by_role("combobox", name="House").select_option("House A")
    page.get_by_label("Name").first.fill("pump")
    page.get_by_role("spinbutton", name="Interval").fill("1")
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.get_by_label("Circuits")).to_have_value("north\nsouth")
    expect(page.get_by_role("combobox", name="Mode")).to_have_value("eco")
    page.get_by_label("File").fill(str(pump))
    page.get_by_label("Token").fill("7391-open-sesame")
    page.get_by_label("Circuits").fill("nowhere")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("This setting names a circuit that leads nowhere.")).to_be_visible()
    page.get_by_label("Circuits").fill("north\nsouth")
    page.get_by_label("Token").fill("7391-open-sesame")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_role("heading", name="Fields")).to_be_visible()


def value_of(page: Page, field: str) -> Locator:
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=field, exact=True))
    return row.get_by_role("cell").first


@pytest.mark.slow
@pytest.mark.usefixtures("agent")
def test_a_new_type_is_used_from_its_form_to_a_chart(
    open_as: OpenAs, live_server: LiveServer, alice: User, house_a: House, pump: Path, complaints: list[str]
) -> None:
    page = open_as(alice, f"/admin/devices/device/add/?house={house_a.pk}")
    add_pump(page, pump)

    expect(page.locator(".agent-state .success")).to_have_text("In use", timeout=PATIENCE_MS)
    expect(value_of(page, "north")).to_have_text("1.5", timeout=PATIENCE_MS)
    pump.write_text(json.dumps({"north": 2.75, "south": 0.25}))
    expect(value_of(page, "north")).to_have_text("2.75", timeout=PATIENCE_MS)  # by itself
    assert "7391-open-sesame" not in page.content()

    page.get_by_role("link", name="Synchronize configuration").click()
    page.get_by_role("button", name="Synchronize").click()
    expect(page.get_by_text("is asked to fetch its devices again")).to_be_visible()
    expect(page.locator(".agent-state dd").first).to_have_text(
        re.compile(r"In use\s+version 2$"), timeout=PATIENCE_MS
    )

    page.goto(f"{live_server.url}/houses/{house_a.pk}/")
    expect(page.locator("[data-card=load] [data-value]")).to_have_text("2.75", timeout=PATIENCE_MS)
    expect(page.locator("[data-chart] .scatterlayer .trace").first).to_be_attached(timeout=PATIENCE_MS)
    assert Device.objects.get().type == KIND
    assert complaints == []


@pytest.mark.usefixtures("queue")
def test_deleting_waits_for_the_name(
    open_as: OpenAs, alice: User, house_a: House, complaints: list[str]
) -> None:
    device = create_device(house=house_a, name="egauge", type="egauge", config=CONFIG)
    page = open_as(alice, f"/admin/devices/device/{device.pk}/change/")
    page.get_by_role("link", name="Delete").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Name").fill("something else")
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("This is not its name.")).to_be_visible()
    dialog.get_by_label("Name").fill("egauge")
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("Delete a device: egauge of House A").first).to_be_visible()
    assert Job.objects.count() == 1
    assert complaints == []
