"""What axe-core, which is vendored here, finds wrong with a page for people with disabilities."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async only => (await axe.run(document, {runOnly: only})).violations.flatMap(rule =>
  rule.nodes.map(node => `${rule.id}: ${node.target.join(" ")} (${rule.help})`))"""
THEME_CHANGES_MS = 400


@cache
def _script() -> str:
    return (Path(__file__).parent / "vendor" / "axe.min.js").read_text()


def faults(page: Page) -> list[str]:
    """Everything that breaks a rule in the light theme, and what lacks contrast in the dark one."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.evaluate(_script())
    found: list[str] = page.evaluate(_RUN, {"type": "tag", "values": RULES})
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(THEME_CHANGES_MS)
    found += page.evaluate(_RUN, {"type": "rule", "values": ["color-contrast"]})
    return found
