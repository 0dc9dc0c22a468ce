"""What README and docs name exists: pages and their parts, files, commands and options, settings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

from collectors.__main__ import build_parser

ROOT = Path(settings.BASE_DIR)
PAGES = [ROOT / "README.md", ROOT / "locale" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = re.compile(r"manage\.py (?P<manage>[a-z_]+)|-m collectors (?P<collectors>[a-z]+)")
OPTION = re.compile(r"(?<=\s)--?[a-z][a-z-]*")
END = re.compile(r"[`#;|&]|\)\s|\n(?!\s*[-\\])")
READ_IN_SETTINGS = re.compile(r'env\.\w+\(\s*"([A-Z_]+)"')
# What the demo tells its children, and what developers set.
NOT_IN_THE_TABLE = {"WATTDESK_DEMO", "DEBUG"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name)


def anchors(page: Path) -> set[str]:
    """The parts of a page, as a link names them."""
    headings = re.findall(r"^#+ (.+)$", _without_blocks(page.read_text()), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def _without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def dead_links(page: Path) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)\s]+)\)", _without_blocks(page.read_text())):
        if re.match(r"[a-z]+:|/", link):  # elsewhere, or an address of a running server
            continue
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or (part and part not in anchors(target)):
            yield link


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    assert list(dead_links(page)) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A part\n\n[a](#a-part) [b](other.md) [c](page.md#gone) [d](https://example.org)\n")
    assert list(dead_links(page)) == ["other.md", "page.md#gone"]


def test_every_page_can_be_reached_from_the_readme() -> None:
    found, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        found.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text())
        ahead += [target for link in links if (target := (page.parent / link).resolve()) not in found]
    assert {name(page) for page in (ROOT / "docs").glob("*.md")} <= {name(page) for page in found}


def wrong_commands(text: str) -> Iterator[str]:
    """The commands of ours in `text` that do not exist, or not with these options."""
    for found in PROGRAM.finditer(text):
        rest = END.split(text[found.end() :], maxsplit=1)[0]
        parser = _manage(found["manage"]) if found["manage"] else _collectors(found["collectors"])
        known = None if parser is None else parser._option_string_actions.keys()
        if known is None or not set(OPTION.findall(rest)) <= known:
            yield found[0] + rest


def _manage(command: str) -> argparse.ArgumentParser | None:
    """The parser of a command; `test` takes whatever pytest takes."""
    if command not in get_commands():
        return None
    if command == "test":
        return _Anything()
    return load_command_class(get_commands()[command], command).create_parser("manage.py", command)


def _collectors(command: str) -> argparse.ArgumentParser | None:
    (commands,) = (one for one in build_parser()._actions if isinstance(one.choices, dict))
    found: argparse.ArgumentParser | None = commands.choices.get(command)  # type: ignore[union-attr]
    return found


class _Anything(argparse.ArgumentParser):
    """With the options of pytest that the docs name."""

    def __init__(self) -> None:
        super().__init__()
        self.add_argument("-k")


@every_page
def test_commands_and_their_options_exist(page: Path) -> None:
    assert list(wrong_commands(page.read_text())) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`manage.py up --port 1`, and --nonsense beside it", []),
        ("    python3 manage.py up --prot 1\n", ["manage.py up --prot 1"]),
        ("`manage.py upp`", ["manage.py upp"]),
        ("-m collectors agent --bundel x", ["-m collectors agent --bundel x"]),
        (
            "-m collectors check egauge \\\n  --onec",
            ["-m collectors check egauge \\\n  --onec"],
        ),
    ],
)
def test_a_wrong_command_is_found(text: str, wrong: list[str]) -> None:
    assert list(wrong_commands(text)) == wrong


def test_the_table_of_settings_is_that_of_the_code() -> None:
    read = set(READ_IN_SETTINGS.findall((ROOT / "config" / "settings.py").read_text()))
    table = (ROOT / "README.md").read_text().split("## Settings")[1]
    rows: list[Any] = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    told = {setting for row in rows for setting in re.findall(r"`([A-Z_]+)`", row)}
    assert told == read - NOT_IN_THE_TABLE


def test_images_are_there() -> None:
    shown = {(page.parent / path).resolve() for page in PAGES for path in _images(page)}
    assert shown <= set((ROOT / "docs" / "images").iterdir())


def _images(page: Path) -> list[str]:
    return re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text())
