"""Checks every admin action: somebody thought of who may do it, and a link cannot trigger it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.checks import CheckMessage, Error
from unfold.admin import ModelAdmin

PLACES = ("list", "detail", "row", "submit_line")


def admin_actions(**options: Any) -> list[CheckMessage]:
    """Unfold runs an action without `permissions` for all staff, and one without a dialog on GET.

    An admin names in `reading_actions` those of its actions that change nothing and need no dialog. Actions
    on what is chosen in a list ask by `asks_first`; Django's own deletion asks by itself.
    """
    pages = [page for page in admin.site._registry.values() if isinstance(page, ModelAdmin)]
    return [problem for page in pages for problem in problems(page)]


def problems(page: Any) -> Iterator[CheckMessage]:
    """What is wrong with the actions of one admin."""
    for place in PLACES:
        for name in page._extract_action_names(getattr(page, f"actions_{place}")):
            method = getattr(page, name)
            if not getattr(method, "allowed_permissions", None):
                yield Error(f"The action {name} lacks permissions.", obj=type(page), id="desk.E001")
            if place != "submit_line" and not _asks_first(page, name):
                yield Error(f"The action {name} lacks a dialog.", obj=type(page), id="desk.E002")
    for name in page.actions or ():
        if not getattr(getattr(page, name), "asks_first", False):
            yield Error(f"The action {name} does not ask first.", obj=type(page), id="desk.E003")


def _asks_first(page: Any, name: str) -> bool:
    """Whether the action has a dialog, whose answer is a POST with a CSRF token, or changes nothing."""
    return hasattr(getattr(page, name), "dialog") or name in getattr(page, "reading_actions", ())
