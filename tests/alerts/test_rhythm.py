"""When a source is silent, by its cadence and by how it is used to arrive."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from apps.alerts.rhythm import DAY, HOUR, MINUTE, UNKNOWN, Rhythm, heard, is_silent, patience

START = 20_000 * DAY
CADENCE = 10_000.0


def follow(arrivals: Iterable[tuple[int, int]], rhythm: Rhythm | None = None) -> Rhythm:
    """The rhythm after arrivals of (moment, newest stamp)."""
    for now, newest in arrivals:
        rhythm = heard(rhythm or Rhythm(heard_at=now), newest, now)
    assert rhythm is not None
    return rhythm


def lively(start: int, end: int) -> Iterable[tuple[int, int]]:
    """A look every minute at a source that is read every ten seconds."""
    return ((now, now - 5_000) for now in range(start, end, MINUTE))


def daily(days: int) -> list[tuple[int, int]]:
    """One upload a day, at 02:00, of all that was measured until then."""
    moments = [START + day * DAY + 2 * HOUR for day in range(days)]
    return [(moment, moment - MINUTE) for moment in moments]


def silent(rhythm: Rhythm, newest: int, now: int, cadence: float = CADENCE) -> bool:
    return is_silent(rhythm, newest, cadence, now)


class TestLively:
    rhythm = follow(lively(START, START + HOUR))
    newest = START + 59 * MINUTE - 5_000

    def test_it_is_silent_five_minutes_after_its_last_reading(self) -> None:
        assert not silent(self.rhythm, self.newest, self.newest + 5 * MINUTE)
        assert silent(self.rhythm, self.newest, self.newest + 5 * MINUTE + 1)

    def test_a_slow_cadence_is_waited_for_three_times(self) -> None:
        cadence = 15.0 * MINUTE
        assert not silent(self.rhythm, self.newest, self.newest + 45 * MINUTE, cadence)
        assert silent(self.rhythm, self.newest, self.newest + 46 * MINUTE, cadence)

    def test_its_arrivals_are_noted_every_five_minutes_only(self) -> None:
        noted, rhythm = 0, self.rhythm
        for now, newest in lively(START + HOUR, START + 2 * HOUR):
            after = heard(rhythm, newest, now)
            noted, rhythm = noted + (after is not rhythm), after
        assert noted == 12

    def test_an_outage_teaches_no_patience(self) -> None:
        week = follow(lively(START, START + 3 * DAY))
        back = START + 3 * DAY + 9 * HOUR
        after = follow(lively(back, back + HOUR), week)
        assert patience(after, CADENCE) == 5 * MINUTE

    def test_old_readings_that_arrive_late_are_no_silence(self) -> None:
        back = START + 3 * DAY
        looks = range(back, back + 30 * MINUTE, MINUTE)
        catching_up = [(now, self.newest + 50 * (now - back + MINUTE)) for now in looks]
        rhythm = follow(catching_up, self.rhythm)
        now, newest = catching_up[-1]
        assert newest < now - DAY
        assert not silent(rhythm, newest, now)


class TestBulk:
    def test_a_source_that_uploads_once_a_day_is_never_silent(self) -> None:
        for days in range(1, 12):
            arrivals = daily(days)
            rhythm, (moment, newest) = follow(arrivals), arrivals[-1]
            assert not any(silent(rhythm, newest, moment + hour * HOUR) for hour in range(25)), days

    def test_it_is_when_it_misses_half_of_a_day(self) -> None:
        arrivals = daily(5)
        rhythm, (moment, newest) = follow(arrivals), arrivals[-1]
        assert patience(rhythm, CADENCE) == 36 * HOUR
        assert silent(rhythm, newest, moment + 36 * HOUR + 1)

    def test_an_upload_in_several_parts_is_still_one(self) -> None:
        parts = [(now + part * MINUTE, newest + part) for now, newest in daily(6) for part in range(8)]
        assert patience(follow(parts), CADENCE) >= 35 * HOUR

    def test_a_source_that_turns_lively_is_known_as_such_within_a_week(self) -> None:
        turned = follow(lively(START + 6 * DAY, START + 11 * DAY), follow(daily(6)))
        assert patience(turned, CADENCE) == 5 * MINUTE

    def test_a_lively_source_that_turns_bulky_is_too(self) -> None:
        before = follow(lively(START - 6 * DAY, START))
        assert patience(follow(daily(5), before), CADENCE) == 36 * HOUR


class TestUnknown:
    def test_a_new_source_may_take_a_day(self) -> None:
        rhythm = follow([(START, START - 1)])
        assert not silent(rhythm, START - 1, START + UNKNOWN)
        assert silent(rhythm, START - 1, START + UNKNOWN + 1)

    def test_one_never_heard_of_is_silent_after_a_day(self) -> None:
        rhythm = Rhythm(heard_at=START)
        assert heard(rhythm, None, START + HOUR) is rhythm
        assert not is_silent(rhythm, None, CADENCE, START + UNKNOWN)
        assert is_silent(rhythm, None, CADENCE, START + UNKNOWN + 1)

    def test_the_same_stamp_again_is_no_arrival(self) -> None:
        rhythm = follow([(START, START)])
        assert heard(rhythm, START, START + HOUR) is rhythm

    def test_after_a_stamp_from_the_future_nothing_newer_can_come_until_then(self) -> None:
        rhythm = follow([*lively(START, START + HOUR), (START + HOUR + 5 * MINUTE, START + 20 * HOUR)])
        assert not silent(rhythm, START + 20 * HOUR, START + 20 * HOUR)
        assert silent(rhythm, START + 20 * HOUR, START + 21 * HOUR)


@pytest.mark.parametrize("night", [10, 14])
def test_an_inverter_that_sleeps_at_night_is_known_to(night: int) -> None:
    rhythm = None
    for day in range(7):
        rhythm = follow(lively(START + day * DAY + night * HOUR, START + (day + 1) * DAY), rhythm)
    assert rhythm is not None
    evening = START + 7 * DAY - MINUTE
    assert not silent(rhythm, evening, evening + night * HOUR)
