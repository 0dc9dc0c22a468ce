"""Formulas that only add and scale."""

from __future__ import annotations

import pytest

from apps.analytics.formula import Field, parse
from apps.analytics.formula.linear import factors

A, B = Field("a", "x"), Field("b", "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.x", {A: 1}),
        ("-a.x", {A: -1}),
        ("a.x - b.x + a.x", {A: 2, B: -1}),
        ("2*(a.x - 3*b.x)/4", {A: 0.5, B: -1.5}),
        ("a.x/1000 + 5", {A: 0.001}),
        ("(a.x - b.x)*-(PI - PI + 2)", {A: -2, B: 2}),
        ("7", {}),
    ],
)
def test_each_series_has_its_factor(text, expected):
    assert factors(parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["a.x*b.x", "1/a.x", "a.x^1", "pos(a.x)", "avg(a.x, 1000)", "a.x + abs(b.x)", "events.::X", "a.x/0"],
)
def test_what_does_more_has_none(text):
    assert factors(parse(text)) is None
