"""Forms of settings, made from a driver that nothing else knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError

from apps.devices import settings_fields
from apps.devices.settings_fields import CLEAR, PREFIX
from collectors import drivers
from tests.devices.newtypes import KIND
from tests.devices.newtypes import dropped_in as dropped_in  # a fixture

pytestmark = pytest.mark.usefixtures("dropped_in")

LEAST = {"path": "/x", "token": "t", "circuits": "north", "mode": "eco", "level": "low", "fast": "on"}


def form_of(data: dict[str, Any] | None = None, *, stored: Any = (), initial: Any = None) -> forms.Form:
    made = type("Form", (forms.Form,), dict(settings_fields.fields_of(KIND, stored=stored)))
    sent = None if data is None else {PREFIX + name: value for name, value in data.items()}
    form: forms.Form = made(sent, initial=initial)
    return form


def meant(**data: Any) -> dict[str, Any]:
    """The configuration that a form means."""
    form = form_of({**LEAST, **data})
    assert form.is_valid(), form.errors
    return settings_fields.config_from(KIND, form.cleaned_data)


def wrong(**data: Any) -> dict[str, list[str]]:
    form = form_of({**LEAST, **data})
    return {name.removeprefix(PREFIX): [str(error) for error in found] for name, found in form.errors.items()}


def test_the_least_that_can_be_filled_in_says_no_more_than_that() -> None:
    assert meant() == {"path": "/x", "token": "t", "circuits": ["north"], "mode": "eco"}
    drivers.parse_config(KIND, meant())


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("circuits", " north \n\n south\r\n", ["north", "south"]),
        ("circuits", "{not an object", ["{not an object"]),
        ("pumps", '{"name": "a"}\n{"name": "b", "pump": 2}', [{"name": "a"}, {"name": "b", "pump": 2}]),
        ("ports", "80\n443", [80, 443]),
        ("retries", "0", 0),
        ("offset", "-1.5", -1.5),
        ("offset", "0", 0.0),
        ("mode", "boost", "boost"),
        ("level", "high", "high"),
        ("phase", "3", 3),
        ("inverted", "on", True),
        ("smart", "no", False),
        ("smart", "yes", True),
        ("host", "9", "9"),
        ("extra", '{"a": [1]}', {"a": [1]}),
    ],
)
def test_what_is_typed_becomes_a_value_of_the_settings_type(name: str, typed: str, value: Any) -> None:
    config = meant(**{name: typed})
    assert config[name] == value
    drivers.parse_config(KIND, config)


def test_a_box_that_is_not_ticked_is_a_no() -> None:
    assert meant(fast="")["fast"] is False


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("path", "", "required"),
        ("token", "", "required"),
        ("circuits", "", "required"),
        ("mode", "", "required"),
        ("mode", "turbo", "valid choice"),
        ("retries", "6", "less than or equal to 5"),
        ("retries", "1.5", "whole number"),
        ("offset", "-11", "greater than or equal to -10"),
        ("path", "/" + "x" * 300, "at most 300"),
        ("pumps", "a", "not JSON in line 1"),
        ("ports", "80\nhttp", "not JSON in line 2"),
        ("extra", "{", "line 1, column 2"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(name: str, typed: str, said: str) -> None:
    found = wrong(**{name: typed})
    assert set(found) == {name}
    assert said in found[name][0]


def test_labels_and_help_are_the_drivers() -> None:
    fields = form_of().fields
    assert [fields[name].label for name in (f"{PREFIX}path", f"{PREFIX}retries")] == ["File", "Retries"]
    assert fields[f"{PREFIX}path"].help_text == "Where its values are."
    assert fields[f"{PREFIX}circuits"].help_text == "Names of circuits. One on each line."


def test_hints_are_the_default_or_else_the_example() -> None:
    fields = form_of().fields
    hints = {
        name.removeprefix(PREFIX): field.widget.attrs.get("placeholder") for name, field in fields.items()
    }
    assert (hints["retries"], hints["path"], hints["circuits"]) == ("2", "/tmp/pump.json", "north\nsouth")


def test_what_cannot_be_empty_shows_its_default() -> None:
    initial = settings_fields.initial_of(KIND, {"path": "/x"})
    shown = {name.removeprefix(PREFIX): value for name, value in initial.items()}
    assert (shown["fast"], shown["inverted"], shown["path"]) == (True, False, "/x")
    assert "retries" not in shown


def test_what_is_stored_comes_back_unchanged_through_the_form() -> None:
    config = {
        "path": "/x",
        "circuits": ["north", "{odd", " spaced "],
        "pumps": [{"name": "a", "pump": 2}],
        "ports": [1],
        "retries": 5,
        "offset": 0.1,
        "mode": "boost",
        "level": "high",
        "phase": 1,
        "inverted": True,
        "fast": False,
        "smart": False,
        "host": "h",
        "extra": {"a": "b"},
    }
    shown = form_of(initial=settings_fields.initial_of(KIND, config), stored={"token"})
    sent = {name.removeprefix(PREFIX): shown[name].value() for name in shown.fields}
    sent = {name: value for name, value in sent.items() if value not in (None, False)}
    form = form_of(sent, stored={"token"}, initial=settings_fields.initial_of(KIND, config))
    assert form.is_valid(), form.errors
    assert settings_fields.config_from(KIND, form.cleaned_data) == config
    assert form.changed_data == []


class TestSecrets:
    def test_a_stored_one_may_be_left_empty(self) -> None:
        form = form_of({**LEAST, "token": ""}, stored={"token"})
        assert form.is_valid()
        assert "token" not in settings_fields.config_from(KIND, form.cleaned_data)

    def test_only_one_that_may_be_missing_can_be_removed(self) -> None:
        fields = form_of(stored={"token", "pin"}).fields
        assert [name for name in fields if name.startswith(CLEAR)] == [f"{CLEAR}pin"]

    def test_removing_one_says_null(self) -> None:
        form = form_of({**LEAST, "pin": "1234"}, stored={"pin"})
        form.data = {**form.data, f"{CLEAR}pin": "on"}
        assert form.is_valid()
        assert settings_fields.config_from(KIND, form.cleaned_data)["pin"] is None

    def test_spaces_around_one_are_its_own(self) -> None:
        assert meant(token=" t ")["token"] == " t "

    def test_one_is_never_in_the_page(self) -> None:
        page = form_of({**LEAST, "token": "hush-hush", "mode": "turbo"}).as_p()
        assert "Select a valid choice" in page
        assert "hush-hush" not in page


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        ("is required", "This setting is required."),
        ("names A more than once", "This setting names A more than once."),
        ("expected float > 0.0", "Expected float > 0.0."),
        ("user name and password go together", "User name and password go together."),
    ],
)
def test_a_drivers_complaint_reads_as_a_sentence(problem: str, sentence: str) -> None:
    assert settings_fields.sentence(problem) == sentence


def test_the_drivers_own_check_names_the_setting(dropped_in: Path) -> None:
    with pytest.raises(drivers.ConfigError) as failure:
        drivers.parse_config(KIND, meant(circuits="nowhere"))
    assert failure.value.field == "circuits"


def test_json_that_is_none_says_where(dropped_in: Path) -> None:
    with pytest.raises(ValidationError, match="line 2, column 1"):
        settings_fields.load_json('{"a":\n}')
