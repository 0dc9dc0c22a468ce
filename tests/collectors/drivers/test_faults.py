from collectors.drivers import Event
from collectors.drivers.faults import Faults


def in_short(events: list[Event]) -> list[str]:
    """The texts, with a minus before those that are over."""
    return [("-" if event.data.get("cleared") else "+") + event.data["data"] for event in events]


def test_a_fault_is_told_when_it_begins_and_when_it_is_over() -> None:
    faults = Faults()
    reads = [{"a": "A"}, {"a": "A"}, {"a": "A", "b": "B"}, {"b": "B"}, {}]
    assert [in_short(faults.news(found, 7)) for found in reads] == [["+A"], [], ["+B"], ["-A"], ["-B"]]


def test_another_text_of_the_same_part_replaces_the_first() -> None:
    faults = Faults()
    faults.news({"a": "no answer"}, 0)
    assert in_short(faults.news({"a": "HTTP 500"}, 1)) == ["+HTTP 500", "-no answer"]


def test_a_fault_that_comes_back_is_told_again() -> None:
    faults = Faults()
    told = [faults.news(found, n) for n, found in enumerate([{"a": "x"}, {}, {"a": "x"}])]
    assert [in_short(events) for events in told] == [["+x"], ["-x"], ["+x"]]
    assert [events[0].timestamp for events in told] == [0, 1, 2]
