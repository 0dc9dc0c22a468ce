"""The one shape of API errors, and the description of the API."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework import exceptions

from apps.accounts import errors


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        (exceptions.NotFound("No house 7."), (404, "not_found", "No house 7.", None)),
        (Http404("secret detail"), (404, "not_found", "Not found.", None)),
        (
            PermissionDenied(),
            (403, "forbidden", "You do not have permission to perform this action.", None),
        ),
        (exceptions.ParseError("line 1"), (400, "malformed", "line 1", None)),
        (exceptions.MethodNotAllowed("PUT"), (405, "method_not_allowed", 'Method "PUT" not allowed.', None)),
        (exceptions.ValidationError("no"), (400, "invalid", "no", None)),
        (exceptions.ValidationError({"start": ["no"]}), (400, "invalid", "no", "start")),
        (exceptions.ValidationError({"a": [], "b": ["no"]}), (400, "invalid", "no", "b")),
        (exceptions.ValidationError({"non_field_errors": ["no"]}), (400, "invalid", "no", None)),
        (exceptions.ValidationError({"rows": [{}, {"x": ["no"]}]}), (400, "invalid", "no", "rows.1.x")),
        (exceptions.ValidationError("no", code="too_long"), (400, "too_long", "no", None)),
    ],
)
def test_every_error_has_one_shape(exception: Exception, expected: tuple[int, str, str, str | None]) -> None:
    response = errors.handler(exception, {})
    assert response is not None
    error = response.data["error"]
    assert (response.status_code, error["code"], error["message"], error.get("field")) == expected


def test_a_fault_of_ours_is_left_to_django() -> None:
    assert errors.handler(ZeroDivisionError(), {}) is None


@pytest.mark.django_db
def test_an_address_that_leads_nowhere_is_json_under_api_and_a_page_elsewhere(client: Client) -> None:
    api = client.get("/api/v1/nothing/")
    page = client.get("/nothing/")
    assert (api.status_code, api.json()["error"]["code"]) == (404, "not_found")
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.django_db
def test_a_request_refused_before_any_view_is_json_under_api_and_a_page_elsewhere(client: Client) -> None:
    api = client.get("/api/v1/houses/", headers={"host": "evil.example"})
    page = client.get("/accounts/login/", headers={"host": "evil.example"})
    assert (api.status_code, api.json()["error"]["code"]) == (400, "bad_request")
    assert (page.status_code, page["Content-Type"]) == (400, "text/html; charset=utf-8")


def test_a_crash_under_api_is_json_without_details(rf: RequestFactory) -> None:
    response = errors.server_error(rf.get("/api/v1/houses/"))
    assert response.status_code == 500
    assert (
        response.content == b'{"error": {"code": "server_error", "message": "Something broke on our side."}}'
    )


class TestDescription:
    """OpenAPI and its pages."""

    @pytest.fixture
    def schema(self, client: Client) -> dict[str, Any]:
        document: dict[str, Any] = client.get("/api/v1/schema/?format=json").json()
        return document

    def test_it_describes_errors_in_their_one_shape(self, schema: dict[str, Any]) -> None:
        answers = schema["paths"]["/api/v1/auth/token/"]["post"]["responses"]
        assert set(answers) == {"200", "400", "401", "409", "415", "429"}
        reference = answers["401"]["content"]["application/json"]["schema"]["$ref"]
        assert reference == "#/components/schemas/ErrorAnswer"

    def test_nothing_in_it_is_guessed_or_left_out(self) -> None:
        call_command("spectacular", validate=True, fail_on_warn=True, file=os.devnull)

    def test_making_a_token_needs_none(self, schema: dict[str, Any]) -> None:
        operations = schema["paths"]["/api/v1/auth/token/"]
        assert not any(operations["post"].get("security", []))
        assert any(operations["delete"]["security"])

    def test_its_page_needs_no_inline_script_and_nothing_from_outside(self, client: Client) -> None:
        page = client.get("/api/v1/docs/").content.decode()
        assert "<script>" not in page
        assert "https://" not in page
        script = client.get("/api/v1/docs/?script=")
        assert script["Content-Type"] == "application/javascript"
