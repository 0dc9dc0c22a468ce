"""The balance of a bus, solved for each of its meters."""

from __future__ import annotations

import pytest

from apps.meters.physics.balance import Role, Target, coefficient, in_words


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target.LOAD, {Role.SOLAR: 1, Role.UTILITY: 1, Role.BATTERY: 1}),
        (Target.UTILITY, {Role.LOAD: 1, Role.SOLAR: -1, Role.BATTERY: -1}),
        (Target.SOLAR, {Role.LOAD: 1, Role.UTILITY: -1, Role.BATTERY: -1}),
        (Target.RESIDUAL, {Role.SOLAR: 1, Role.UTILITY: 1, Role.BATTERY: 1, Role.LOAD: -1}),
        (Target.SUM, {Role.PLUS: 1, Role.MINUS: -1}),
    ],
)
def test_each_role_counts_as_the_balance_says(target, expected):
    assert {role: coefficient(role, target) for role in expected} == expected


@pytest.mark.parametrize(
    ("roles", "target", "words"),
    [
        ([Role.SOLAR, Role.LOAD], Target.UTILITY, "utility = load − solar"),
        ([Role.UTILITY, Role.SOLAR], Target.LOAD, "load = solar + utility"),
        ([Role.UTILITY, Role.LOAD], Target.SOLAR, "solar = load − utility"),
        (
            [Role.UTILITY, Role.LOAD, Role.SOLAR, Role.BATTERY],
            Target.RESIDUAL,
            "residual = solar + battery + utility − load",
        ),
        ([Role.MINUS, Role.PLUS], Target.SUM, "sum = plus − minus"),
    ],
)
def test_the_formula_reads_as_engineers_write_it(roles, target, words):
    assert in_words(roles, target) == words
