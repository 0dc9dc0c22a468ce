from typing import Any

import pytest

from collectors.drivers import DeviceError
from collectors.drivers.values import as_number, measured, stated


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0), (2.5, 2.5), ("12", 12.0), (" -3.5 ", -3.5), ("1e3", 1000.0), (".5", 0.5), ("7.", 7.0),
        ("OnGrid", "OnGrid"), ("", ""), ("1_000", "1_000"), ("nan", "nan"), ("0x10", "0x10"), ("٣", "٣"),
        (True, True), (False, False), (None, None),
        (float("nan"), None), (float("inf"), None), (10**400, None), ("1e999", None),
    ],
)  # fmt: skip
def test_what_a_value_is(value: Any, number: Any) -> None:
    found = as_number("x", value)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize("value", [{}, [], b"x", object()])
def test_what_is_no_value_is_an_error_that_names_the_field(value: Any) -> None:
    with pytest.raises(DeviceError, match="Pac"):
        as_number("Pac", value)


@pytest.mark.parametrize(
    ("value", "number"),
    [("57.5", 57.5), (3, 3.0), ("OnGrid", None), (True, None), (None, None), ([1], None), ({}, None)],
)
def test_what_is_measured_is_a_number_or_nothing(value: Any, number: float | None) -> None:
    assert measured(value) == number


@pytest.mark.parametrize(
    ("value", "state"), [("OnGrid", "OnGrid"), (False, False), ("2", "2"), (8, 8), ([1], None), (None, None)]
)
def test_what_is_stated_is_kept_as_it_is(value: Any, state: Any) -> None:
    assert stated(value) is state
