"""Every address outside the admin, with what each of us gets there. A new address needs a line here.

What it opens for whom stands in `docs/people.md`, under the words of `what` if there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.mutations import issue_token
from apps.houses.models import House

LOG_IN = "log in"  # the outcome of being sent to the log-in page
Outcome = int | str
WHO = ("stranger", "other", "homeowner", "analyst", "operator", "administrator")

EVERYBODY = (200,) * 6
PEOPLE = (LOG_IN, 200, 200, 200, 200, 200)
MEMBERS = (LOG_IN, 404, 200, 200, 200, 200)
API_PEOPLE = (401, 200, 200, 200, 200, 200)
API_MEMBERS = (401, 404, 200, 200, 200, 200)
OPERATORS = (LOG_IN, 403, 403, 403, 200, 200)
AGENTS = (401,) * 6  # keys of houses and passwords of loggers open these, people nothing
REDIRECTED = (LOG_IN, 302, 302, 302, 302, 302)


def _the_house(user: User | None, house: House) -> dict[str, str]:
    return {"house_id": str(house.pk)}


@dataclass(frozen=True)
class Place:
    """An address: what it is for, whom it opens for, and how it is asked."""

    what: str
    outcomes: tuple[Outcome, ...]
    method: str = "get"
    ask: dict[str, Any] = field(default_factory=dict)
    fill: Callable[[User | None, House], dict[str, str]] = _the_house


def _own_token(user: User | None, house: House) -> dict[str, str]:
    if user is None:
        return {"key": "none"}
    return {"key": issue_token(user=user, now=timezone.now())[0].token_key}


def _solar(user: User | None, house: House) -> dict[str, str]:
    return {**_the_house(user, house), "kind": "solar"}


def _no_link(user: User | None, house: House) -> dict[str, str]:
    return {"uidb64": "MQ", "token": "used-up"}


_RANGE = {"start": 0, "end": 1}

PLACES: dict[str, Place] = {
    # Pages
    "": Place("the page of one's first house", PEOPLE),
    "houses/": Place("the list of one's houses", PEOPLE),
    "houses/<int:house_id>/": Place("the page of a house: cards, charts, outages", MEMBERS),
    "houses/<int:house_id>/live/": Place("", API_MEMBERS),
    "houses/<int:house_id>/reports/<slug:kind>/": Place(
        "its reports, and what they show as CSV", MEMBERS, fill=_solar
    ),
    "health/": Place("", EVERYBODY),
    "favicon.ico": Place("", (302,) * 6),
    "alerts/mails/": Place("mails about alerts", OPERATORS),
    "accounts/": Place("one's own account: name, password, API tokens", PEOPLE),
    "accounts/name/": Place("", REDIRECTED, "post", {"name": "x"}),
    "accounts/language/": Place("", REDIRECTED, "post", {"language": ""}),
    "accounts/tokens/": Place("", REDIRECTED, "post", {"name": "x", "days": 30}),
    "accounts/tokens/<slug:key>/revoke/": Place("", REDIRECTED, "post", fill=_own_token),
    "accounts/login/": Place("", (200, 302, 302, 302, 302, 302)),
    "accounts/logout/": Place("", (302,) * 6, "post"),
    "accounts/password/change/": Place("", PEOPLE),
    "accounts/password/forgotten/": Place("", EVERYBODY),
    "accounts/password/forgotten/sent/": Place("", EVERYBODY),
    "accounts/password/set/<uidb64>/<token>/": Place("", EVERYBODY, fill=_no_link),
    "accounts/password/set/done/": Place("", EVERYBODY),
    # The API
    "api/v1/auth/token/": Place("", (415,) * 6, "post"),
    "api/v1/schema/": Place("", EVERYBODY),
    "api/v1/docs/": Place("", EVERYBODY),
    "api/v1/houses/": Place("API: the list of one's houses", API_PEOPLE),
    "api/v1/houses/<int:house_id>/": Place("API: a house", API_MEMBERS),
    "api/v1/houses/<int:house_id>/sources/": Place("API: its sources and their fields", API_MEMBERS),
    "api/v1/houses/<int:house_id>/latest/": Place("API: its newest values", API_MEMBERS),
    "api/v1/houses/<int:house_id>/events/": Place("API: its events", API_MEMBERS),
    "api/v1/houses/<int:house_id>/series/": Place(
        "API: its readings, as they came and in bins", API_MEMBERS, ask={"series": "egauge.A.Solar", **_RANGE}
    ),
    "api/v1/houses/<int:house_id>/evaluate/": Place(
        "API: formulas of one's own", (401, 404, 403, 200, 200, 200), ask={"formula": "1", **_RANGE}
    ),
    "api/v1/edge/readings/": Place("", AGENTS, "post"),
    "api/v1/edge/config/": Place("", AGENTS),
    "api/v1/edge/config/ack/": Place("", AGENTS, "post"),
    "api/v1/edge/commands/": Place("", AGENTS),
    "api/v1/edge/commands/<int:command_id>/result/": Place(
        "", AGENTS, "post", fill=lambda *_: {"command_id": "1"}
    ),
    "api/v1/loggers/acquisuite/": Place("", AGENTS, "post", ask={"MODE": "TEST"}),
    "api/v1/loggers/acquisuite": Place("", AGENTS, "post", ask={"MODE": "TEST"}),
}


def routes() -> Iterator[str]:
    """Every route of the site but those of the admin, which its registry tells of."""
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern) != "admin/":
            yield from _below("", pattern)


def outcome(client: Client, user: User | None, house: House, route: str, place: Place) -> Outcome:
    """What `user` gets there: a status, or LOG_IN."""
    path = "/" + route
    for name, value in place.fill(user, house).items():
        for converter in ("int:", "slug:", ""):
            path = path.replace(f"<{converter}{name}>", value)
    answer = getattr(client, place.method)(path, place.ask)
    if answer.status_code == 302 and answer["Location"].startswith("/accounts/login/?next="):
        return LOG_IN
    status: int = answer.status_code
    return status


def _below(prefix: str, pattern: URLPattern | URLResolver) -> Iterator[str]:
    route = prefix + str(pattern.pattern)
    if isinstance(pattern, URLPattern):
        yield route
        return
    for inner in pattern.url_patterns:
        yield from _below(route, inner)
