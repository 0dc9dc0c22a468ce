"""docs/playbook.md as a list of acts: what an operator does on pages, in files and in a shell.

A step is an item of a numbered list, its parts between arrows; a shell block is marked with the machine it is
for. See the page itself for what the parts mean. What is no act is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "playbook.md"


@dataclass(frozen=True)
class Open:
    """A page, by its title in the sidebar."""

    title: str


@dataclass(frozen=True)
class Press:
    """A button or a link."""

    name: str


@dataclass(frozen=True)
class Fill:
    """A field, by its label; several values go on a line each."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class See:
    """Words that the page shows now."""

    text: str


Part = Open | Press | Fill | See


@dataclass(frozen=True)
class Step:
    """What is done on one page, in order."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class File:
    """A file that is a code block of another page."""

    path: str
    block: str
    page: str


@dataclass(frozen=True)
class Shell:
    """Commands for a machine, in the folder where its last ones ended; what `stays` does not end."""

    machine: str
    code: str
    stays: bool


Act = Step | File | Shell

MACHINES = ("house", "server")
_ACT = re.compile(
    r"^\s*(?:\d+[.)]|[-*+]) +(?P<item>.+)$|^\s*```(?P<mark>.*)\n(?P<code>(?:.*\n)*?)\s*```$", re.MULTILINE
)
_FILE = re.compile(r"File `(?P<path>[^`]+)`: block `(?P<block>\w+)` of \[[^]]+\]\((?P<page>[^)]+)\)")
_FILL = re.compile(r"(?P<label>[A-Z][^:`*]*): (?P<values>`[^`]+`(?:, `[^`]+`)*)")
_WRAPPED: dict[str, type[Open | Press | See]] = {"**": Open, "*": Press, "“": See}


def procedures(text: str) -> dict[str, list[Act]]:
    """The acts of each numbered section, by its title. Raises ValueError for what is no act."""
    sections = re.split(r"^## (\d+\. .+)$", text, flags=re.MULTILINE)[1:]
    return {title: list(_acts(body)) for title, body in zip(sections[::2], sections[1::2], strict=True)}


def _acts(body: str) -> Iterator[Act]:
    for found in _ACT.finditer(body):
        if found["item"] is None:
            yield _shell(found["mark"], found["code"])
        elif told := _FILE.fullmatch(found["item"]):
            yield File(**told.groupdict())
        else:
            yield Step(tuple(_part(part) for part in found["item"].split(" → ")))


def _shell(mark: str, code: str) -> Shell:
    match mark.split():
        case ["sh", machine, *stays] if machine in MACHINES and stays in ([], ["stays"]):
            return Shell(machine, code, bool(stays))
    raise ValueError(f"A block marked {mark!r} is nothing that can be done.")


def _part(text: str) -> Part:
    for mark, part in _WRAPPED.items():
        end = mark.replace("“", "”")
        if text.startswith(mark) and text.endswith(end):
            return part(text.removeprefix(mark).removesuffix(end))
    if told := _FILL.fullmatch(text):
        return Fill(told["label"], tuple(re.findall(r"`([^`]+)`", told["values"])))
    raise ValueError(f"{text!r} is no part of a step.")
