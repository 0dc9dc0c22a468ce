"""The registry of house-page panels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.houses import panels
from apps.houses.models import House
from apps.houses.panels import LiveData, Panel
from tests.people import AsUser


def heading(text: str | None) -> panels.Context:
    """A context for a template that says `text`; None has nothing to show."""
    return lambda *_: None if text is None else {"text": text}


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "_panels", {})


@pytest.fixture
def template(tmp_path: Any, settings: Any) -> str:
    (tmp_path / "panel.html").write_text("<p>{{ text }} of {{ house.name }}</p>")
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**engine, "DIRS": [*engine["DIRS"], tmp_path]}]
    return "panel.html"


def test_panels_come_by_order_then_name() -> None:
    for name, order in [("c", 20), ("b", 20), ("a", 30), ("d", 10)]:
        panels.register(Panel(name, "panel.html", order, heading("x")))

    assert [panel.name for panel in panels.panels()] == ["d", "b", "c", "a"]


def test_a_name_is_taken_once() -> None:
    panels.register(Panel("power", "panel.html", 10, heading("x")))

    with pytest.raises(ValueError, match="power"):
        panels.register(Panel("power", "panel.html", 20, heading("y")))


def test_the_page_shows_panels_in_order_and_leaves_out_those_without_context(
    bob: User, house_a: House, template: str, as_user: AsUser
) -> None:
    panels.register(Panel("late", template, 20, heading("Second")))
    panels.register(Panel("early", template, 10, heading("First")))
    panels.register(Panel("nothing", template, 15, heading(None)))

    html = as_user(bob).get(f"/houses/{house_a.pk}/").content.decode()

    assert html.index("First of house-a") < html.index("Second of house-a")
    assert html.count(" of house-a") == 2


def test_the_refresh_merges_what_panels_offer_and_asks_for_data_only_when_needed(
    bob: User, house_a: House, as_user: AsUser
) -> None:
    asked = []

    def live(house: House, user: User, now: datetime) -> LiveData:
        return LiveData("1", lambda: asked.append(user) or {"outages": [house.name]})

    panels.register(Panel("outages", "panel.html", 10, heading("x"), live))
    panels.register(Panel("still", "panel.html", 20, heading("x")))
    client: Client = as_user(bob)

    first = client.get(f"/houses/{house_a.pk}/live/")
    again = client.get(f"/houses/{house_a.pk}/live/", headers={"If-None-Match": first.headers["ETag"]})

    assert first.json()["outages"] == ["house-a"]
    assert (again.status_code, asked) == (304, [bob])
