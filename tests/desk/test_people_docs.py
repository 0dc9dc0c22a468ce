"""The tables in docs/people.md say what the code does. WATTDESK_WRITE_DOCS=1 writes them anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.test import RequestFactory

from apps.accounts.models import User
from apps.accounts.roles import MEANINGS, Role
from apps.desk.admin.frame import GROUPS, ORDER, SYSTEM
from apps.desk.titles import title_of
from apps.houses.models import House
from tests.desk.places import PLACES, WHO
from tests.desk.test_admin_access import MODELS, object_of

PAGE = Path(settings.BASE_DIR) / "docs" / "people.md"
ROLES = WHO[2:]
VERBS = {"view": "see", "add": "add", "change": "change", "delete": "delete"}
PLACES_OF_ACTIONS = ("actions_list", "actions_detail", "actions_row")


def compare(name: str, table: str, page: Path = PAGE) -> None:
    """The table of that name in the page must be `table`."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    text = page.read_text()
    assert begin in text
    written = text.split(begin)[1].split(end)[0].strip()
    if os.environ.get("WATTDESK_WRITE_DOCS") == "1":
        page.write_text(text.replace(f"{begin}{written}\n" if written else begin, f"{begin}{table}\n"))
        return
    assert written == table, "Run this test with WATTDESK_WRITE_DOCS=1 and look at what changed."


def rows(*cells: tuple[str, ...]) -> str:
    first, *rest = cells
    lines = [first, tuple("---" for _ in first), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def test_the_roles_are_what_the_form_says() -> None:
    compare("roles", rows(("role", "what for"), *((role.label, MEANINGS[role]) for role in MEANINGS)))


def test_pages_and_api_open_for_whom_the_page_says() -> None:
    lines = [
        (place.what, *("yes" if outcome == 200 else "no" for outcome in place.outcomes[2:]))
        for place in PLACES.values()
        if place.what
    ]
    compare("places", rows(("", *ROLES), *lines))


def test_the_admin_lets_each_role_do_what_the_page_says(
    alice: User, ann: User, bob: User, admin: User, house_a: House
) -> None:
    things = {model: object_of(model, house_a) for model in sorted(MODELS, key=_in_the_sidebar)}
    for user in (ann, bob):
        assert [deeds(user, model, thing) for model, thing in things.items()] == [""] * len(things)
    lines = [
        (title_of(model), deeds(alice, model, thing) or "–", deeds(admin, model, thing))
        for model, thing in things.items()
    ]
    compare("admin", rows(("", "operator", "administrator"), *lines))


def deeds(user: User, model: type[models.Model], thing: Any) -> str:
    """What `user` may do to `thing` and its kind in the admin."""
    page: Any = admin.site._registry[model]
    request = RequestFactory().get("/")
    request.user = user
    if not page.has_view_permission(request):
        return ""
    able = [word for verb, word in VERBS.items() if getattr(page, f"has_{verb}_permission")(request)]
    actions = [
        said
        for said, about_one, needed in _actions(page)
        if all(getattr(page, f"has_{right}_permission")(request, *[thing][:about_one]) for right in needed)
    ]
    return ", ".join(dict.fromkeys([*able, *actions]))


def _actions(page: Any) -> Iterator[tuple[str, bool, list[str]]]:
    """What each action is called, whether it is about one thing, and which rights it needs."""
    for place in PLACES_OF_ACTIONS:
        for name in page._extract_action_names(getattr(page, place)):
            method = getattr(page, name)
            yield str(method.short_description).lower(), place != "actions_list", method.allowed_permissions


def _in_the_sidebar(model: type[models.Model]) -> tuple[int, str]:
    return ORDER.index(GROUPS.get(model._meta.app_label, SYSTEM)), title_of(model)


def test_no_role_goes_without_a_word(db: None) -> None:
    assert set(MEANINGS) == set(Role)


@pytest.mark.parametrize("role", Role)
def test_every_role_is_a_column(role: Role) -> None:
    assert role.value in ROLES
