"""manage.py issue_credential."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.houses.credentials import verify
from apps.houses.models import House


def test_it_prints_a_bundle_that_works_beside_the_others(house_a: House) -> None:
    first, second = _printed("house-a"), _printed("house-a")
    assert first["house"] == "house-a"
    for bundle in (first, second):
        assert verify(bundle["key"], now=datetime(2026, 6, 1, tzinfo=UTC)) == house_a


@pytest.mark.django_db
def test_an_unknown_house_is_one_plain_sentence() -> None:
    with pytest.raises(CommandError, match=r"\AThere is no house named “nowhere”.\Z"):
        call_command("issue_credential", house="nowhere")


def test_its_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("issue_credential", "--help")
    assert "--house mill" in " ".join(capsys.readouterr().out.split())


def _printed(house: str) -> dict[str, str]:
    out = StringIO()
    call_command("issue_credential", house=house, stdout=out)
    bundle: dict[str, str] = json.loads(out.getvalue())
    return bundle
