"""The languages that people may choose: English, and each one with a compiled catalogue in `locale/`."""

from __future__ import annotations

from pathlib import Path

from django.conf.locale import LANG_INFO

SOURCE = "en"


def found(folder: Path) -> list[tuple[str, str]]:
    """(code, its own name) of each, for `settings.LANGUAGES`; the source language first."""
    catalogues = sorted(folder.glob("*/LC_MESSAGES/django.mo"))
    codes = [path.parent.parent.name.replace("_", "-").lower() for path in catalogues]
    return [(code, _name(code)) for code in dict.fromkeys([SOURCE, *codes])]


def _name(code: str) -> str:
    return str(LANG_INFO.get(code, {}).get("name_local", code)).capitalize()
