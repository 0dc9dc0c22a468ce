"""Which meters add up to which: the balance of a bus, solved for what is to be worked out. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Role(StrEnum):
    """What a meter measures of its bus; PLUS and MINUS are for sums that are no balance."""

    SOLAR = "solar"
    BATTERY = "battery"
    UTILITY = "utility"
    LOAD = "load"
    PLUS = "plus"
    MINUS = "minus"


class Target(StrEnum):
    """What is worked out."""

    UTILITY = "utility"
    LOAD = "load"
    SOLAR = "solar"
    RESIDUAL = "residual"
    SUM = "sum"


SUPPLY = (Role.SOLAR, Role.BATTERY, Role.UTILITY)
"""What feeds the bus; with every meter's sign turned so, these together are the load."""
BOTH_WAYS = (Role.BATTERY, Role.UTILITY, Role.PLUS, Role.MINUS)
"""Roles whose power goes both ways, so that a register of one direction is not all of their energy."""


def coefficient(role: Role, target: Target) -> int:
    """+1 or −1: how a meter of this role counts in `target`.

    load = solar + battery + utility, solved for the target; the residual is what is left over of
    solar + battery + utility − load, 0 where all meters are right.
    """
    if target is Target.SUM:
        return -1 if role is Role.MINUS else 1
    side = 1 if role in SUPPLY else -1
    return side if target in (Target.LOAD, Target.RESIDUAL) else -side


def in_words(roles: Collection[Role], target: Target) -> str:
    """The formula, such as “utility = load − solar”."""
    order = [Role.LOAD, *SUPPLY] if target in (Target.UTILITY, Target.SOLAR) else [*SUPPLY, Role.LOAD]
    present = [role for role in [*order, Role.PLUS, Role.MINUS] if role in roles]
    words = ""
    for role in present:
        sign = "+" if coefficient(role, target) > 0 else "−"
        words += f" {sign} {role}" if words else (role if sign == "+" else f"−{role}")
    return f"{target} = {words or 'nothing'}"
