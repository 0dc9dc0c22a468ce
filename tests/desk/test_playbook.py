"""docs/playbook.md is performed as written: pages in a browser, files and commands in a scratch clone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.alerts.kinds import Kind as AlertKind
from apps.alerts.models import Alert, State
from apps.alerts.mutations import open_or_renew
from apps.analytics.models import AnalyticsItem
from apps.desk import demo
from apps.houses.models import House
from apps.readings import quarantine, store
from apps.readings.counters import Register, Step, Why
from apps.readings.models import Kind, Source
from apps.readings.series import FieldSpec, declare
from collectors import drivers
from collectors.simulation import powerflex, simulator
from collectors.simulation.world import World
from config.processes import wait_until
from tests.desk import playbook
from tests.desk.playbook import PAGE, Act, File, Fill, Open, Press, See, Shell, procedures
from tests.desk.test_people_docs import compare, rows
from tests.jobs.conftest import queue as queue
from tests.readings.building import DAY, T0, put

ROOT = Path(django_settings.BASE_DIR)
PATIENCE_MS = 20_000
MINUTE = 60_000
PLAYBOOK = procedures(PAGE.read_text())

AGENTS_PYTHON = f"""mkdir -p agent/bin
printf '#!/bin/sh\\nexec "{sys.executable}" "$@"\\n' > agent/bin/python
chmod +x agent/bin/python"""
"""Instead of making an environment and installing into it, which the tests of the collectors try."""


def test_every_section_says_what_to_do() -> None:
    assert [title for title, acts in PLAYBOOK.items() if not acts] == []


@pytest.mark.parametrize("line", ["1. Press the button", "1. **Houses** → Save", "```\nls\n```"])
def test_what_cannot_be_performed_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        procedures(f"## 1. A section\n\n{line}\n")


@dataclass
class Operator:
    """Does what the page says. `here` is what this place has instead of the page's examples."""

    page: Page
    url: str
    folder: Path
    here: Mapping[str, str]
    mails: list[Any]
    brought: Path
    running: ExitStack = field(default_factory=ExitStack)

    def perform(self, act: Act) -> None:
        """An act with all its parts."""
        match act:
            case playbook.Step(parts):
                for part in parts:
                    self._do(part)
            case File(path, block, page):
                self._write(path, block, page)
            case Shell(code, stays):
                self._run(self._local(code), stays)

    def _do(self, part: playbook.Part) -> None:
        match part:
            case Open(title):
                self._open(title)
            case Press("Download"):
                with self.page.expect_download() as download:
                    self._named("Download").click()
                download.value.save_as(self.folder / download.value.suggested_filename)
            case Press(name):
                self._press(self._named(name))
            case Fill(label, values):
                self._fill(label, [self._local(value) for value in values])
            case See(text):
                shown = self.page.get_by_text(text).filter(visible=True).first
                expect(shown).to_be_visible(timeout=PATIENCE_MS)

    def _open(self, title: str) -> None:
        match title:
            case "Log in":
                self.page.context.clear_cookies()
                self.page.goto(f"{self.url}{reverse('login')}")
            case "The link in the mail":
                (link,) = re.findall(r"http\S+/password/set/\S+", self.mails[-1].body)
                self.page.context.clear_cookies()
                self.page.goto(link)
            case "Your account":
                self.page.goto(f"{self.url}{reverse('account')}")
            case _:
                self.page.goto(f"{self.url}{reverse('admin:index')}")
                named = re.compile(rf"^\w+ {re.escape(title)}$")  # the icon's name comes first
                self.page.locator("#nav-sidebar").get_by_role("link", name=named).click()

    def _press(self, named: Locator) -> None:
        asks = named.get_attribute("hx-target") == "#modal-content"
        named.click()
        if asks:
            expect(self.page.locator("#dialog")).to_be_visible()

    def _named(self, name: str) -> Locator:
        if name == "The first row":
            return self.page.locator("#result_list tbody a").first
        if name == "+":
            return self.page.get_by_role("link", name="add", exact=True)
        exactly = re.compile(rf"(^|\s){re.escape(name)}$")
        scope = self._scope()
        holding = scope.get_by_role("link").filter(has=self.page.get_by_text(name, exact=True))
        opening = scope.locator("a:not([href])").filter(has_text=re.compile(rf"^\s*{re.escape(name)}\b"))
        links = scope.get_by_role("link", name=exactly).or_(holding).or_(opening)
        return scope.get_by_role("button", name=exactly).or_(links).filter(visible=True).first

    def _fill(self, label: str, values: list[str]) -> None:
        exactly = re.compile(rf"^\s*{re.escape(label)}\s*\*?:?\s*$")
        scope = self._scope()
        caption = scope.locator("label, legend, th").filter(has_text=exactly).filter(visible=True).first
        expect(caption).to_be_visible()
        labelled = scope.get_by_label(exactly).filter(visible=True)
        grouped = caption.locator("xpath=ancestor::*[.//input][1]").locator("input")
        if labelled.count() and labelled.first.evaluate("it => it.tagName") == "SELECT":
            labelled.first.select_option(label=values[0])
        elif labelled.count():
            labelled.first.fill("\n".join(values))
        elif grouped.first.get_attribute("type") == "radio":
            scope.get_by_role("radio", name=re.compile(rf"^{re.escape(values[0])}:")).check()
        elif "vDateField" in (grouped.first.get_attribute("class") or ""):
            for asked, value in zip(grouped.all(), values[0].split(" "), strict=True):
                asked.fill(value)
        else:
            self._search(values[0])

    def _search(self, value: str) -> None:
        """Choose in the row that was added last."""
        self.page.locator("tr:not(.empty-form) .select2-selection").last.click()
        self.page.locator(".select2-search__field").fill(value)
        self.page.locator(".select2-results__option").get_by_text(value, exact=True).click()

    def _scope(self) -> Locator:
        """The dialog that is open, else the page."""
        dialog = self.page.locator("#dialog").filter(visible=True)
        return dialog if dialog.count() else self.page.locator("body")

    def _local(self, text: str) -> str:
        for example, instead in self.here.items():
            text = text.replace(example, instead)
        return text

    def _write(self, path: str, block: str, page: str) -> None:
        text = (PAGE.parent / page).read_text()
        (code,) = re.findall(rf"^```python {block}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
        if file.parent.parent.name == "drivers":
            (self.brought / file.parent.name).symlink_to(file.parent)

    def _run(self, code: str, stays: bool) -> None:
        if stays:
            agent = subprocess.Popen(["/bin/bash", "-c", f"exec {code}"], cwd=self.folder)
            self.running.enter_context(agent)
            self.running.callback(agent.terminate)
            return
        script = f"{code}\necho; pwd"
        done = subprocess.run(["/bin/bash", "-ec", script], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        self.folder = Path(done.stdout.splitlines()[-1])


@pytest.fixture
def here(running: ExitStack) -> dict[str, str]:
    """What stands here for the examples of the page: devices that answer, and this repository."""
    midnight = (datetime.now(UTC) - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    world = World(3, int(midnight.timestamp() * 1000))
    ports = {
        kind: running.enter_context(simulator(kind, world)).port for kind in ("egauge", "sonnen", "powerflex")
    }
    return {
        "192.168.1.20": f"127.0.0.1:{ports['egauge']}",
        "192.168.1.30": f"127.0.0.1:{ports['sonnen']}",
        "https://powerflex.example.com": f"http://127.0.0.1:{ports['powerflex']}",
        "owner@example.com": powerflex.USERNAME,
        "the-password-there": powerflex.PASSWORD,
        "REPOSITORY": str(ROOT),
        "python3 -m venv agent": AGENTS_PYTHON,
        "agent/bin/pip install --require-hashes -r requirements-agent.txt": "",
    }


@pytest.fixture
def running() -> Iterator[ExitStack]:
    """What is entered here is stopped at the end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of drivers that are brought to the server."""
    folder = tmp_path / "brought"
    folder.mkdir()
    monkeypatch.setattr(drivers, "__path__", [*drivers.__path__, str(folder)])
    yield folder
    sys.modules.pop("collectors.drivers.plug", None)


@pytest.fixture
def fresh_demo(db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """The demo as it is seeded, with a few hours of history, a fault, and a register that fell."""
    settings.DEMO = True
    settings.VAR = tmp_path / "var"
    monkeypatch.setattr(demo, "HISTORY", timedelta(hours=6))
    now = datetime.now(UTC)
    house = demo.seed(now=now, url="http://127.0.0.1:1", ports={"egauge": 1, "powerflex": 1, "sonnen": 1})
    open_or_renew(house=house, kind=AlertKind.OFFLINE, evidence={}, at=now)
    _let_a_register_fall(Source.objects.create(house=house, namespace="meter", name="water"))
    return house


def _let_a_register_fall(source: Source) -> None:
    declare(source=source, fields=[FieldSpec("total", unit="kWh", kind=Kind.COUNTER)])
    registers = [4000.5, 4001.25, 4001.75, 12.3, 12.5, 12.9, 13.2]
    put(source, "total", {T0 + place * 15 * MINUTE: value for place, value in enumerate(registers)})
    store.compact(source.pk, DAY)
    told = Step(Register(T0 + 30 * MINUTE, 4001.75), Register(T0 + 45 * MINUTE, 12.3), Why.LOWER)
    quarantine.record(series_id=source.series.get().pk, day=DAY, steps=[told])


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("queue", "clean_cache")
def test_an_operator_performs_the_playbook(
    page: Page,
    live_server: LiveServer,
    settings: Settings,
    fresh_demo: House,
    here: dict[str, str],
    brought: Path,
    running: ExitStack,
    mailoutbox: list[Any],
    complaints: list[str],
    tmp_path: Path,
) -> None:
    settings.PUBLIC_URL = live_server.url
    operator = Operator(page, live_server.url, tmp_path, here, mailoutbox, brought, running)
    for title, acts in PLAYBOOK.items():
        for act in acts:
            try:
                operator.perform(act)
            except Exception as error:
                error.add_note(f"While performing {act} of “{title}”, at {page.url}")
                raise
    # A page that keeps itself up to date may ask once more for what it has just deleted.
    assert [one for one in complaints if "404" not in one] == []
    _see_what_became_of_it(House.objects.get(name="mill"))


def _see_what_became_of_it(mill: House) -> None:
    """What the playbook promises beyond what its pages say."""
    nora = User.objects.get(email="nora@example.com")
    assert mill.memberships.filter(user=nora).exists()
    assert not Alert.objects.filter(state=State.OPEN).exists()
    heard = Source.objects.filter(house=mill, namespace="device", latest__isnull=False)
    assert wait_until(
        lambda: {one.name for one in heard.all()} >= {"panel", "battery", "charger"}, seconds=20
    )
    assert mill.credentials.filter(revoked_at=None).count() == 1
    items = AnalyticsItem.objects.filter(house=mill).exclude(name="bill").order_by("name")
    cells = [
        (one.name, f"`{one.formula}`", one.unit or "–", "yes" if one.aggregated else "no") for one in items
    ]
    compare("required", rows(("item", "formula", "unit", "results kept"), *cells), PAGE)
