"""Warnings of devices: which are the same, and when one begins and ends. Pure; stamps in Unix ms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

KEY_LENGTH = 150
TEXT_LENGTH = 500
FORGOTTEN_AFTER = 24 * 3_600_000
"""A warning that is neither repeated nor cleared for a day is over: not every driver says so."""

# Longest first: what one of them takes is not looked at by the next.
_FOLDED = re.compile(
    r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b"  # MAC
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"  # UUID
    r"|(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])"  # IPv6, and times of day
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"  # IPv4, with a port
    r"|\b0x[0-9a-f]+"
    r"|\b(?=[a-f]*\d)[0-9a-f]{6,}\b"  # hex of some length that has a digit
    r"|[-+−]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Report:
    """A warning, or that it is over."""

    stamp: int
    text: str
    cleared: bool


@dataclass(frozen=True)
class Spell:
    """A warning from its first to its last report; `cleared_at` is None while it lasts."""

    opened_at: int
    last_at: int
    text: str
    cleared_at: int | None = None


def read(stamp: int, data: dict[str, Any]) -> Report:
    """A WARNING event's data, whatever a driver made of it."""
    text = data.get("data")
    return Report(stamp, text if isinstance(text, str) else "", data.get("cleared") is True)


def text_class(text: str) -> str:
    """What warnings that differ in numbers, addresses and hexadecimal digits only have in common."""
    folded = _FOLDED.sub("#", text)
    return " ".join(folded.split())[:KEY_LENGTH]


def spells(known: Spell | None, reports: Iterable[Report], now: int) -> list[Spell]:
    """The spells after more reports of one class, beginning with the one that is `known` and goes on.

    `known` may also be over: what happened before its end is history, and told again changes nothing. At the
    same instant a warning is over rather than new.
    """
    found = [] if known is None else [known]
    for report in sorted(reports, key=lambda one: (one.stamp, one.cleared)):
        _take(found, report)
    return [_forgotten(spell, now) for spell in found]


def _take(found: list[Spell], report: Report) -> None:
    last = found[-1] if found else None
    if last is None or last.cleared_at is not None:
        over = None if last is None else last.cleared_at
        if not report.cleared and (over is None or report.stamp > over):
            found.append(Spell(report.stamp, report.stamp, report.text[:TEXT_LENGTH]))
    elif report.cleared and report.stamp >= last.last_at:
        found[-1] = replace(last, cleared_at=report.stamp)
    elif not report.cleared and report.stamp > last.last_at:
        found[-1] = replace(last, last_at=report.stamp, text=report.text[:TEXT_LENGTH])


def _forgotten(spell: Spell, now: int) -> Spell:
    if spell.cleared_at is None and now - spell.last_at > FORGOTTEN_AFTER:
        return replace(spell, cleared_at=spell.last_at + FORGOTTEN_AFTER)
    return spell
