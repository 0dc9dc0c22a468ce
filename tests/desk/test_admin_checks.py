"""The check of admin actions, and the headers of every page."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

from apps.accounts.models import User
from apps.desk.checks import admin_actions, problems
from apps.houses.confirmation import asks_first
from apps.houses.models import House
from tests.people import AsUser


class CarelessAdmin(ModelAdmin):
    actions_detail = ["bare", {"title": "More", "items": ["careful", "export"]}]
    actions_submit_line = ["submitted"]
    actions = ["at_once", "asking"]
    reading_actions = frozenset({"export"})

    @action()
    def bare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponse()

    @action(permissions=["change"], dialog={"title": "Sure?"})
    def careful(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return HttpResponse()

    @action(permissions=["view"])
    def export(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponse()

    @action()
    def submitted(self, request: HttpRequest, obj: Any) -> None: ...

    @action(permissions=["change"])
    def at_once(self, request: HttpRequest, chosen: QuerySet[House]) -> None: ...

    @action(permissions=["change"])
    @asks_first(one="It is done.", many="They are done.", submit="Do it")
    def asking(self, request: HttpRequest, chosen: QuerySet[House]) -> None: ...


def test_it_finds_actions_without_permissions_or_a_dialog() -> None:
    found = {
        (str(problem.id), problem.msg.split()[2]) for problem in problems(CarelessAdmin(House, admin.site))
    }
    assert found == {
        ("desk.E001", "bare"),
        ("desk.E002", "bare"),
        ("desk.E001", "submitted"),
        ("desk.E003", "at_once"),
    }


def test_no_action_of_ours_is_careless() -> None:
    assert admin_actions() == []


PUBLIC = ["/accounts/login/", "/api/v1/docs/", "/api/v1/auth/token/", "/nothing/"]


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.django_db
def test_every_answer_carries_the_headers_that_protect_it(client: Client, address: str) -> None:
    headers = client.get(address).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.django_db
def test_scripts_come_from_here_and_evaluate_nothing(client: Client, address: str) -> None:
    assert _policy(client, address)["script-src"] == "'self'"


def test_only_the_admin_may_evaluate(alice: User, house_a: House, as_user: AsUser) -> None:
    client = as_user(alice)
    for address in (reverse("admin:index"), reverse("admin:houses_house_change", args=[house_a.pk])):
        assert _policy(client, address)["script-src"] == "'self' 'unsafe-eval'"
    for address in ("/", reverse("account")):
        assert _policy(client, address)["script-src"] == "'self'"


def _policy(client: Client, address: str) -> dict[str, str]:
    parts = client.get(address).headers["Content-Security-Policy"].split(";")
    return {name: rest.strip() for name, _, rest in (part.strip().partition(" ") for part in parts)}
