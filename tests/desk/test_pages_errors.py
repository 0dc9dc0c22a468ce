"""Error pages, health's address and the icon."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views import defaults

from apps.accounts.models import User
from tests.people import AsUser


def test_a_missing_page_is_told_in_the_sites_own_words(bob: User, as_user: AsUser) -> None:
    answer = as_user(bob).get("/no/such/page/")

    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


@pytest.mark.django_db
def test_an_anonymous_visitor_gets_the_page_without_a_menu(client: Client) -> None:
    html = client.get("/no/such/page/").content.decode()

    assert "There is nothing here" in html
    assert "Log out" not in html


def test_a_refusal_says_whom_to_ask(bob: User, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = bob
    answer = defaults.permission_denied(request, PermissionDenied())

    assert answer.status_code == 403
    assert "ask an administrator" in answer.content.decode()


def test_a_fault_needs_neither_database_nor_visitor(rf: RequestFactory) -> None:
    # No django_db mark: a query would fail this test.
    answer = defaults.server_error(rf.get("/"))

    assert answer.status_code == 500
    assert "That is our fault" in answer.content.decode()


def test_a_bad_request_needs_no_database_either(rf: RequestFactory) -> None:
    answer = defaults.bad_request(rf.get("/"), ValueError())

    assert answer.status_code == 400
    assert "made no sense" in answer.content.decode()


def test_a_form_without_its_token_is_told_to_be_too_old(bob: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer: HttpResponse = client.post(reverse("login"), {"username": bob.email, "password": "x"})  # type: ignore[assignment]

    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()


def test_browsers_find_the_icon(client: Client) -> None:
    assert client.get("/favicon.ico").headers["Location"].endswith("favicon.svg")


@pytest.mark.django_db
def test_health_is_public(client: Client) -> None:
    assert client.get("/health/").status_code == 200
