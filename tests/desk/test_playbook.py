"""docs/playbook.md is performed as written: pages in a browser, files and commands in clones.

The demo runs in one of them, as its first section says.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as TimedOut

from collectors import drivers
from collectors.simulation import powerflex, simulator
from collectors.simulation.world import World
from config.embedded import free_port
from config.processes import wait_until
from tests.config.processes import assert_none_left
from tests.desk import playbook
from tests.desk.playbook import MACHINES, PAGE, Act, File, Fill, Open, Press, See, Shell, procedures
from tests.desk.terminals import Program, Terminal, environment, repository
from tests.desk.test_people_docs import compare, rows

PATIENCE_MS = 20_000
BACKGROUND_S = 300
"""For what a worker or an agent does, also where tests beside this one keep the machine busy."""
START_S = 180
PLAYBOOK = procedures(PAGE.read_text())
STEPS = [act for acts in PLAYBOOK.values() for act in acts if isinstance(act, playbook.Step)]


def test_every_section_says_what_to_do() -> None:
    assert [title for title, acts in PLAYBOOK.items() if not acts] == []


@pytest.mark.parametrize(
    "line",
    [
        "1. Press the button",
        "1. **Houses** → Save",
        "2) *Save*, then wait",
        "* Save",
        "  1. Save",
        "```\nls\n```",
        "```sh\nls\n```",
        "```sh moon\nls\n```",
    ],
)
def test_what_cannot_be_performed_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        procedures(f"## 1. A section\n\n{line}\n")


@pytest.mark.parametrize("kind", drivers.kinds())
def test_every_type_of_device_has_an_example(kind: str) -> None:
    assert any(Press(drivers.load(kind).TITLE) in step.parts for step in STEPS)


@dataclass
class Operator:
    """Does what the page says. `here` is what this place has instead of the page's examples."""

    page: Page
    url: str
    terminals: Mapping[str, Terminal]
    here: Mapping[str, str]
    server: Program | None = None
    looking: bool = False
    """Whether nothing was asked of the page that is open: it may be loaded again."""

    def perform(self, act: Act) -> None:
        """An act with all its parts."""
        match act:
            case playbook.Step(parts):
                for part in parts:
                    self._do(part)
            case File(path, block, page):
                self._write(path, block, page)
            case Shell(machine, code, stays):
                self._shell(machine, self._local(code), stays)

    def _do(self, part: playbook.Part) -> None:
        match part:
            case Open(title):
                self._open(title)
            case Press("Download"):
                with self.page.expect_download() as download:
                    self._named("Download").click()
                download.value.save_as(self.terminals["house"].folder / download.value.suggested_filename)
            case Press(name):
                self._press(self._awaited(lambda: self._named(name)))
                if name == "See what can be created":
                    self._compare_the_plan()
            case Fill(label, values):
                self._fill(label, [self._local(value) for value in values])
            case See(text):
                self._awaited(lambda: self.page.get_by_text(text).filter(visible=True).first)

    def _open(self, title: str) -> None:
        match title:
            case "Log in":
                self._go_as_nobody("/accounts/login/")
            case "The link in the mail":
                self._go_as_nobody(self._mailed_link())
            case "Your account":
                self.page.goto(f"{self.url}/accounts/")
            case _:
                self.page.goto(f"{self.url}/admin/")
                named = re.compile(rf"^\w+ {re.escape(title)}$")  # the icon's name comes first
                self.page.locator("#nav-sidebar").get_by_role("link", name=named).click()
        self.looking = True

    def _go_as_nobody(self, path: str) -> None:
        self.page.context.clear_cookies()
        self.page.goto(f"{self.url}{path}")

    def _mailed_link(self) -> str:
        """The last one that the server printed."""
        assert self.server is not None
        links = re.compile(rf"{re.escape(self.url)}(/\S+/password/set/\S+)")
        return str(self.server.finds(links, seconds=BACKGROUND_S)[-1])

    def _awaited(self, find: Callable[[], Locator]) -> Locator:
        """What is found once it shows. A page of which nothing was asked is loaded again until then."""
        until = time.monotonic() + BACKGROUND_S
        while self.looking and not _shows(find()) and time.monotonic() < until:
            self.page.reload()
        expect(find()).to_be_visible(timeout=PATIENCE_MS)
        return find()

    def _press(self, named: Locator) -> None:
        asks = named.get_attribute("hx-target") == "#modal-content"
        self.looking = named.evaluate("it => it.tagName") == "A" and not asks
        named.click()
        if asks:
            expect(self.page.locator("#dialog")).to_be_visible(timeout=PATIENCE_MS)

    def _compare_the_plan(self) -> None:
        """The page's table of items is what is proposed here."""
        made = self.page.locator(".decide-table tbody tr").filter(has_text="will be created")
        expect(made.first).to_be_visible(timeout=PATIENCE_MS)
        cells = [row.locator("th, td").all_inner_texts() for row in made.all()]
        table = [(name, f"`{formula}`", unit or "–", kept) for name, _, formula, unit, kept in cells]
        compare("required", rows(("item", "formula", "unit", "results kept"), *sorted(table)), PAGE)

    def _named(self, name: str) -> Locator:
        if name == "The first row":
            return self.page.locator("#result_list tbody a").first
        scope = self._scope()
        if name.endswith("…"):
            beginning = re.compile(rf"^{re.escape(name.removesuffix('…'))}")
            return scope.get_by_role("link", name=beginning).first
        exactly = re.compile(rf"(^|\s){re.escape(name)}$")
        holding = scope.get_by_role("link").filter(has=self.page.get_by_text(name, exact=True))
        opening = scope.locator("a:not([href])").filter(has_text=re.compile(rf"^\s*{re.escape(name)}\b"))
        links = scope.get_by_role("link", name=exactly).or_(holding).or_(opening)
        return scope.get_by_role("button", name=exactly).or_(links).filter(visible=True).first

    def _fill(self, label: str, values: list[str]) -> None:
        self.looking = False
        exactly = re.compile(rf"^\s*{re.escape(label)}\s*\*?:?\s*$")
        scope = self._scope()
        labelled = scope.get_by_label(exactly).filter(visible=True)
        caption = scope.locator("label, legend, th").filter(has_text=exactly).filter(visible=True)
        expect(labelled.or_(caption).first).to_be_visible(timeout=PATIENCE_MS)
        if labelled.count() and labelled.first.evaluate("it => it.tagName") == "SELECT":
            labelled.first.select_option(label=values[0])
        elif labelled.count():
            labelled.first.fill("\n".join(values))
        else:
            self._fill_group(caption.first, values[0])

    def _fill_group(self, caption: Locator, value: str) -> None:
        """Several inputs under one caption, or one that searches."""
        grouped = caption.locator("xpath=ancestor::*[.//input][1]").locator("input")
        if grouped.first.get_attribute("type") == "radio":
            self._scope().get_by_role("radio", name=re.compile(rf"^{re.escape(value)}:")).check()
        elif "vDateField" in (grouped.first.get_attribute("class") or ""):
            for asked, one in zip(grouped.all(), value.split(" "), strict=True):
                asked.fill(one)
        else:
            self._search(value)

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
        file = self.terminals["house"].folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)

    def _shell(self, machine: str, code: str, stays: bool) -> None:
        if not stays:
            self.terminals[machine].run(code)
        elif machine == "server":
            self.page.goto("about:blank")  # an open page would complain of a server that is away
            self.server = self.terminals[machine].start(code)
            assert self.server.says(f"answers at {self.url}", seconds=START_S), self.server.output
        else:
            self.terminals[machine].start(code)


def _shows(found: Locator) -> bool:
    try:
        found.wait_for(state="visible", timeout=2_000)
    except TimedOut:
        return False
    return True


@pytest.fixture
def running() -> Iterator[ExitStack]:
    """What is entered here is stopped at the end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def terminals(tmp_path: Path, running: ExitStack) -> Iterator[dict[str, Terminal]]:
    """One on each machine; none of their programs is left in the end."""
    found = {name: Terminal(tmp_path / name, environment(tmp_path)) for name in MACHINES}
    for terminal in found.values():
        terminal.folder.mkdir()
    try:
        yield found
    finally:
        for terminal in found.values():
            terminal.leave()
    assert_none_left(tmp_path)


@pytest.fixture
def url() -> str:
    """Where the demo is to answer."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def here(running: ExitStack, url: str, tmp_path: Path) -> dict[str, str]:
    """What stands here for the examples of the page: devices that answer, this repository, a free port."""
    midnight = (datetime.now(UTC) - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    world = World(3, int(midnight.timestamp() * 1000))
    ports = {
        kind: running.enter_context(simulator(kind, world)).port for kind in ("egauge", "sonnen", "powerflex")
    }
    return {
        "192.168.1.20": f"127.0.0.1:{ports['egauge']}",
        "192.168.1.30": f"127.0.0.1:{ports['sonnen']}",
        "192.168.1.40": "127.0.0.1:9",  # where nobody answers
        "https://powerflex.example.com": f"http://127.0.0.1:{ports['powerflex']}",
        "owner@example.com": powerflex.USERNAME,
        "the-password-there": powerflex.PASSWORD,
        "REPOSITORY": str(repository(tmp_path)),
        "manage.py demo": f"manage.py demo --port {url.rpartition(':')[2]}",
        "https://wattdesk.example.org": url,
    }


@pytest.mark.browser
@pytest.mark.slow
def test_an_operator_performs_the_playbook(
    page: Page, url: str, terminals: dict[str, Terminal], here: dict[str, str], complaints: list[str]
) -> None:
    operator = Operator(page, url, terminals, here)
    for title, acts in PLAYBOOK.items():
        for act in acts:
            try:
                operator.perform(act)
            except BaseException as error:
                error.add_note(f"While performing {act} of “{title}”, at {page.url}")
                raise
    # A page that keeps itself up to date may ask once more for what it has just deleted.
    assert [one for one in complaints if "404" not in one] == []
    _see_what_became_of_it(page, url)


def _see_what_became_of_it(page: Page, url: str) -> None:
    """What the playbook promises beyond what its pages say, as the administrator sees it."""

    def ask(path: str) -> Any:
        return page.request.get(f"{url}/api/v1/houses/{path}").json()

    def heard(house: str) -> set[str]:
        return {name.partition(".")[0] for name in ask(f"{ids[house]}/latest/")}

    ids = {house["name"]: house["id"] for house in ask("")}
    assert {"panel", "battery", "charger"} <= heard("mill")
    assert "plug" not in heard("mill")
    assert wait_until(
        lambda: {"Load", "Solar", "Chiller", "derived_utility"} <= heard("works"), seconds=BACKGROUND_S
    )
