from collectors.agent.warnings import MOST_OPEN, REPEATED_MS, STEADY_S, Warnings, text_class
from collectors.drivers import Event, warning

NOW = 1_790_000_000_000


class Watch:
    """A monotonic clock that the test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def told(events: list[Event]) -> list[tuple[str, bool]]:
    """Texts of warnings, and whether they are cleared."""
    assert all(event.type == "WARNING" for event in events)
    return [(event.data["data"], event.data.get("cleared", False)) for event in events]


def over(timestamp: int, text: str) -> Event:
    return Event(timestamp, "WARNING", {"data": text, "cleared": True})


def test_texts_that_differ_in_numbers_are_of_one_class() -> None:
    assert text_class("HTTP 503 after 12.5 s") == text_class("HTTP 500 after 3.25 s")
    assert text_class("no answer") != text_class("no connection")


class TestFailures:
    def test_each_class_is_told_once_until_the_device_has_recovered(self) -> None:
        watch = Watch()
        warnings = Warnings(None, monotonic=watch)
        texts = ["HTTP 500", "HTTP 503", "no answer", "HTTP 500", "no answer"]
        assert [told(warnings.failed(NOW, text)) for text in texts] == [
            [("HTTP 500", False)],
            [],
            [("no answer", False)],
            [],
            [],
        ]
        watch.seconds = STEADY_S
        assert told(warnings.succeeded(NOW)) == [("HTTP 500", True), ("no answer", True)]
        assert warnings.succeeded(NOW) == []
        assert told(warnings.failed(NOW, "HTTP 500")) == [("HTTP 500", False)]

    def test_a_device_that_fails_now_and_then_is_told_once(self) -> None:
        watch = Watch()
        warnings = Warnings(None, monotonic=watch)
        events = []
        for n in range(100):
            watch.seconds = n * 10.0
            events += warnings.failed(NOW, "no answer") if n % 3 == 0 else warnings.succeeded(NOW)
        assert told(events) == [("no answer", False)]

    def test_what_lasts_is_repeated_twice_a_day_with_its_first_text(self) -> None:
        warnings = Warnings(None)
        hours = [n * 3_600_000 for n in range(48)]
        events = [event for hour in hours for event in warnings.failed(NOW + hour, f"HTTP {500 + hour}")]
        assert told(events) == [("HTTP 500", False)] * 4
        assert [event.timestamp - NOW for event in events] == [n * REPEATED_MS for n in range(4)]

    def test_a_restart_neither_tells_again_nor_forgets_to_clear(self) -> None:
        before = Warnings(None)
        before.failed(NOW, "no answer")
        watch = Watch()
        after = Warnings(before.kept(), monotonic=watch)
        assert after.failed(NOW, "no answer") == []
        watch.seconds = STEADY_S
        assert told(after.succeeded(NOW)) == [("no answer", True)]
        assert Warnings(after.kept()).failed(NOW, "no answer") != []

    def test_a_spoilt_memory_is_none(self) -> None:
        assert Warnings(b'{"failures": 3}').failed(NOW, "no answer") != []

    def test_a_device_with_ever_new_faults_has_a_limit(self) -> None:
        warnings = Warnings(None)
        names = [chr(0x4E00 + n) for n in range(MOST_OPEN + 50)]
        assert sum(len(warnings.failed(NOW, name)) for name in names) == MOST_OPEN


class TestDriversOwn:
    def test_what_lasts_is_repeated_twice_a_day_until_it_is_cleared(self) -> None:
        warnings = Warnings(None)
        warnings.passed_on([warning(NOW, "hot")], NOW)
        hours = [NOW + n * 3_600_000 for n in range(1, 48)]
        assert (
            told([event for hour in hours for event in warnings.passed_on([], hour)]) == [("hot", False)] * 3
        )
        warnings.passed_on([over(hours[-1], "hot")], hours[-1])
        assert warnings.passed_on([], hours[-1] + REPEATED_MS) == []

    def test_of_those_that_differ_in_numbers_the_last_clears(self) -> None:
        warnings = Warnings(None)
        first, second = "Register A1 is missing.", "Register A2 is missing."
        assert len(warnings.passed_on([warning(NOW, first), warning(NOW, second)], NOW)) == 2
        assert warnings.passed_on([over(NOW, first)], NOW) == []
        assert told(warnings.passed_on([over(NOW, second)], NOW)) == [(second, True)]

    def test_a_text_that_changes_in_its_numbers_does_not_clear(self) -> None:
        warnings = Warnings(None)
        warnings.passed_on([warning(NOW, "HTTP 500")], NOW)
        changed = [warning(NOW + 1, "HTTP 503"), over(NOW + 1, "HTTP 500")]
        assert told(warnings.passed_on(changed, NOW + 1)) == [("HTTP 503", False)]

    def test_warnings_pass_when_they_change_something_and_other_events_always(self) -> None:
        warnings, text = Warnings(None), "Register A is missing."
        events = [
            warning(NOW, text),
            warning(NOW + 1, text),
            warning(NOW + 2, "Register B is missing."),
            Event(NOW + 3, "EV_START_CHARGING", {}),
            Event(NOW + 3, "EV_START_CHARGING", {}),
            over(NOW + 4, "never told"),
            over(NOW + 5, text),
            over(NOW + 6, text),
            warning(NOW + 7, text),
        ]
        assert [event.timestamp - NOW for event in warnings.passed_on(events, NOW + 8)] == [0, 2, 3, 3, 5, 7]

    def test_what_a_driver_without_memory_does_not_repeat_is_over(self) -> None:
        before = Warnings(None)
        before.passed_on([warning(NOW, "a"), warning(NOW, "b")], NOW)
        after = Warnings(before.kept())
        again = [warning(NOW + 9, "b")]
        assert told(after.forgotten(NOW + 9, again)) == [("a", True)]
        assert after.passed_on(again, NOW + 9) == []


def test_standing_warnings_are_told_when_they_begin_and_end() -> None:
    warnings = Warnings(None)
    assert told(warnings.only(NOW, ["a"])) == [("a", False)]
    assert told(warnings.only(NOW, ["a", "b"])) == [("b", False)]
    assert told(warnings.only(NOW, ["b"])) == [("a", True)]
    assert told(Warnings(warnings.kept()).only(NOW, [])) == [("b", True)]
