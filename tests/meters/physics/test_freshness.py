"""What may still come, and what may still change."""

from __future__ import annotations

import pytest

from apps.meters.physics.freshness import Freshness, Presence, freshness, horizon
from tests.meters.physics.meters import BASE, HOUR, MINUTE, QUARTER, every, floats

EDGES = every(QUARTER, 5)


def states(present, *inputs: Presence, now: int) -> list[str]:
    return [str(one) for one in freshness(EDGES, present, inputs, now=now)]


class TestHorizon:
    def test_a_daily_logger_is_waited_for_26_hours(self):
        assert horizon(interval=QUARTER, delay=None, between=24 * HOUR) == 26 * HOUR

    def test_so_is_one_that_nobody_knows_yet(self):
        assert horizon(interval=QUARTER, delay=None, between=None) == 26 * HOUR

    def test_a_frequent_one_for_three_intervals(self):
        assert horizon(interval=QUARTER, delay=None, between=15 * MINUTE) == 3 * QUARTER

    def test_one_whose_delay_is_known_for_twice_that(self):
        assert horizon(interval=MINUTE, delay=2 * HOUR, between=HOUR) == 4 * HOUR
        assert horizon(interval=QUARTER, delay=1, between=MINUTE) == 3 * QUARTER


class TestFreshness:
    def test_a_missing_input_is_waited_for_and_then_given_up(self):
        here, late = Presence(floats(1, 1, 1, 1), HOUR), Presence(floats(1, 1, 0, 0), 26 * HOUR)
        present = [True, True, False, False]
        assert states(present, here, late, now=BASE + HOUR)[2:] == ["waiting", "waiting"]

    @pytest.mark.parametrize(("hours", "expected"), [(26, "waiting"), (27.5, "gap")])
    def test_the_wait_ends_with_the_horizon(self, hours, expected):
        late = Presence(floats(0, 0, 0, 0), 26 * HOUR)
        assert states([False] * 4, late, now=BASE + round(hours * HOUR)) == [expected] * 4

    def test_a_value_is_provisional_while_an_input_may_change_and_final_after(self):
        inputs = Presence(floats(1, 1, 1, 1), HOUR), Presence(floats(1, 1, 1, 1), 3 * QUARTER)
        assert states([True] * 4, *inputs, now=BASE + HOUR) == ["provisional"] * 4
        assert states([True] * 4, *inputs, now=BASE + 3 * HOUR) == ["final"] * 4

    def test_an_input_that_covers_too_little_is_partial_once_nothing_is_awaited(self):
        inputs = Presence(floats(1, 0.5, 0, 1), HOUR), Presence(floats(1, 1, 1, 1), HOUR)
        assert states([True, False, False, True], *inputs, now=BASE + 9 * HOUR) == [
            "final",
            "partial",
            "gap",
            "final",
        ]

    def test_they_have_names_that_people_read(self):
        assert [str(one) for one in Freshness] == ["final", "provisional", "partial", "waiting", "gap"]
