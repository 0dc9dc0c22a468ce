"""Values that stand still while others of their source move."""

from __future__ import annotations

from collections.abc import Callable

from apps.alerts.stuck import HOUR, TOO_LONG, Held, look, stuck

START = 20_000 * 24 * HOUR
STEP = 5 * 60_000

Signal = Callable[[int], float]


def moving(stamp: int) -> float:
    return (stamp // STEP) % 7 + 0.25


def after(hours: float, step: int = STEP, **signals: Signal) -> dict[str, Held]:
    """What is known after looking at signals for some hours."""
    held: dict[str, Held] = {}
    for stamp in range(START, START + round(hours * HOUR) + 1, step):
        held = look(held, {name: (stamp, signal(stamp)) for name, signal in signals.items()})
    return held


def constant(value: float) -> Signal:
    return lambda _: value


def test_a_value_that_stands_still_for_twelve_hours_is_stuck() -> None:
    assert stuck(after(11.9, a=constant(3.25), b=moving)) == []
    assert stuck(after(12.1, a=constant(3.25), b=moving)) == ["a"]


def test_zero_is_not_stuck_however_long_the_night() -> None:
    assert stuck(after(48, solar=constant(0), load=moving)) == []


def test_nothing_is_stuck_while_nothing_else_moves() -> None:
    assert stuck(after(48, a=constant(3.25), b=constant(230))) == []
    assert stuck(after(48, a=constant(3.25))) == []


def test_others_must_move_at_the_same_time() -> None:
    stopped = after(48, a=constant(3.25), b=lambda stamp: moving(min(stamp, START + 40 * HOUR)))
    assert stuck(stopped) == []


def test_a_value_that_moves_again_is_not_stuck_any_more() -> None:
    held = after(13, a=constant(3.25), b=moving)
    held = look(held, {"a": (START + 14 * HOUR, 3.5), "b": (START + 14 * HOUR, 1.0)})
    assert stuck(held) == []


def test_what_is_seen_once_a_day_may_be_the_same_at_that_hour() -> None:
    assert stuck(after(10 * 24, step=24 * HOUR, a=constant(230), b=moving)) == []


def test_the_same_reading_seen_again_is_no_second_look() -> None:
    held = after(1, a=constant(3.25))
    again = look(held, {"a": (held["a"].seen, 3.25)})
    assert again == held


def test_a_field_that_is_gone_is_forgotten() -> None:
    assert look(after(1, a=moving, b=moving), {"a": (START + TOO_LONG, 1.0)}).keys() == {"a"}
