"""Configuration files of a logger: flat key=value lines without sections. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAIN = "loggerconfig.ini"
MASK = "•••"
UNUSED = "-"
"""The name of a point that is not connected."""
MOST_POINTS = 1024
NAME_LENGTH = 120
_DEVICE = re.compile(r"\A(?:modbus/)?mb-(\d{3})\.ini\Z", re.IGNORECASE)
_POINT = re.compile(r"\APOINT(\d{2,4})(NAME|UNITS|LOW|HIGH)\Z", re.IGNORECASE)
_SECRET = re.compile(r"passw|passphrase|secret|\bpsk\b|psk$|privatekey|community|token", re.IGNORECASE)


@dataclass(frozen=True)
class Point:
    """What is configured of one point; an unused one is called “-”."""

    name: str = ""
    unit: str = ""
    low: str = ""
    high: str = ""

    @property
    def used(self) -> bool:
        """Whether anything is connected to it."""
        return self.name != UNUSED


def settings(text: str) -> dict[str, str]:
    """The settings by their names in capitals; of one that comes twice the last counts."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip().upper(): value.strip() for key, sign, value in pairs if sign and key.strip()}


def points(text: str) -> dict[int, Point]:
    """The points by number, as `mb-NNN.ini` names them."""
    found: dict[int, dict[str, str]] = {}
    for key, value in settings(text).items():
        match = _POINT.match(key)
        if match and int(match[1]) < MOST_POINTS:
            found.setdefault(int(match[1]), {})[match[2].upper()] = value[:NAME_LENGTH]
    return {number: _point(parts) for number, parts in sorted(found.items())}


def log_period(text: str) -> int | None:
    """Seconds between rows, as `loggerconfig.ini` says; None where it says nothing of use."""
    minutes = settings(text).get("LOGPERIOD", "")
    return int(minutes) * 60 if minutes.isascii() and minutes.isdigit() and 1 <= int(minutes) <= 60 else None


def redacted(text: str) -> str:
    """The file with the values of all that sounds like a secret masked, to be shown to people."""
    return "\n".join(map(_redacted, text.splitlines()))


def file_of(address: int) -> str:
    """The name of a device's file, as manifests have it."""
    return f"modbus/mb-{address:03}.ini"


def address_of(name: str) -> int | None:
    """The Modbus address in the name of a device's file; None for other files."""
    match = _DEVICE.match(name.strip())
    return int(match[1]) if match else None


def moved(before: Mapping[int, str], after: Mapping[int, str]) -> list[str]:
    """The names that stand at another number than before; those that are there twice say nothing."""
    first, second = _places(before), _places(after)
    return sorted(name for name, number in first.items() if name in second and second[name] != number)


def _point(parts: Mapping[str, str]) -> Point:
    return Point(
        name=parts.get("NAME", ""),
        unit=parts.get("UNITS", ""),
        low=parts.get("LOW", ""),
        high=parts.get("HIGH", ""),
    )


def _redacted(line: str) -> str:
    key, sign, value = line.partition("=")
    return f"{key}{sign}{MASK}" if sign and value.strip() and _SECRET.search(key) else line


def _places(names: Mapping[int, str]) -> dict[str, int]:
    all_names = list(names.values())
    return {
        name: number
        for number, name in names.items()
        if name and name != UNUSED and all_names.count(name) == 1
    }
