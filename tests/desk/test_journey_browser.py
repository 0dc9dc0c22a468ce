"""From nothing to a chart: an operator adds a house and its meter, an agent reads it, the owner looks on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.houses.models import House
from apps.houses.mutations import add_member
from collectors.simulation import Simulator, simulator
from collectors.simulation.world import World
from tests.people import PASSWORD, person

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PATIENCE_MS = 20_000


@pytest.fixture
def meter() -> Iterator[Simulator]:
    """A simulated eGauge that answers on loopback."""
    midnight = (datetime.now(UTC) - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    with simulator("egauge", World(3, int(midnight.timestamp() * 1000))) as device:
        yield device


@pytest.fixture
def agents() -> Iterator[ExitStack]:
    """Agents entered here are stopped at the end."""
    with ExitStack() as running:
        yield running


def log_in(page: Page, url: str, user: User) -> None:
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def log_out(page: Page, url: str) -> None:
    page.goto(f"{url}/")
    page.get_by_text("Alice", exact=True).click()
    page.get_by_role("button", name="Log out").click()


def add_house(page: Page, bundle: Path) -> None:
    """Add a house in the admin, keep its bundle, and see that it is not shown again."""
    page.get_by_role("link", name="Add a house").click()
    page.get_by_label("Name").first.fill("mill")
    page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog", name="The credential of mill")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    download.value.save_as(bundle)
    dialog.get_by_role("button", name="I have it").click()
    page.reload()
    expect(dialog).to_have_count(0)
    assert bundle.read_text().strip()[-10:-2] not in page.content()


def add_meter(page: Page, url: str, port: int) -> None:
    """Add an eGauge, first with a configuration that cannot be used."""
    page.goto(f"{url}/admin/devices/device/add/")
    page.get_by_role("link", name="eGauge meter").click()
    page.get_by_role("combobox", name="House").select_option("mill")
    page.get_by_label("Name").first.fill("egauge")
    page.get_by_role("spinbutton", name="Interval").fill("1")
    page.get_by_label("Registers").fill("A.Solar\nA.Load\nA.GridPower")
    page.get_by_label("Sample time").fill("1")
    page.get_by_label("Address").fill("http://nowhere")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("This setting has not the right form")).to_be_visible()
    page.get_by_label("Address").fill(f"127.0.0.1:{port}")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()


def start_agent(bundle: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "collectors", "agent", "--bundle", str(bundle)])


def test_an_operator_brings_a_house_to_life(
    page: Page,
    live_server: LiveServer,
    settings: Settings,
    alice: User,
    meter: Simulator,
    agents: ExitStack,
    tmp_path: Path,
) -> None:
    settings.PUBLIC_URL = live_server.url
    bundle = tmp_path / "bundle.json"

    log_in(page, live_server.url, alice)
    page.get_by_role("link", name="Admin").click()
    add_house(page, bundle)
    bundle.chmod(0o600)
    add_meter(page, live_server.url, meter.port)
    agent = agents.enter_context(start_agent(bundle))
    agents.callback(agent.terminate)

    house = House.objects.get(name="mill")
    page.goto(f"{live_server.url}/houses/{house.pk}/")
    expect(page.locator("[data-card=load] [data-value]")).to_have_text(
        re.compile(r"\d\.\d\d"), timeout=PATIENCE_MS
    )
    log_out(page, live_server.url)

    owner = person("olive", Role.HOMEOWNER)
    add_member(house=house, user=owner)
    log_in(page, live_server.url, owner)
    expect(page.get_by_role("heading", name="mill")).to_be_visible()
    expect(page.locator("[data-status]")).to_have_text("Live")
    expect(page.locator("[data-chart] .scatterlayer .trace")).to_have_count(4)  # three lines and an area
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)
