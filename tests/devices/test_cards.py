"""Cards: what each role does now, from the newest values alone."""

from __future__ import annotations

import pytest

from apps.devices import cards
from apps.devices.cards import Card, ago, power_text, state_of
from apps.devices.roles import RoleField
from apps.readings.models import Series

NOW = 1_760_000_000_000
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000


def field(
    role: str, *, source: int = 1, name: str = "P", factor: float = 1.0, cadence: float = 10.0
) -> RoleField:
    return RoleField(
        role=role,
        source_id=source,
        source=f"device{source}",
        field=name,
        unit="kW",
        factor=factor,
        cadence=cadence,
        series=Series(),
    )


def one_card(role: str, value: float | str | bool, *, factor: float = 1.0, age: int = SECOND) -> Card:
    (card,) = cards.of([field(role, factor=factor)], {1: {"P": (NOW - age, value)}}, now=NOW)
    return card


def test_a_fresh_value_is_shown_in_kw_with_its_stamp() -> None:
    card = one_card("solar", 3.456)

    assert (card.value, card.display, card.direction, card.state) == (3.456, "3.46", "generating", "fresh")
    assert card.timestamp == NOW - SECOND
    assert card.as_json(NOW)["age"] == SECOND


def test_the_factor_turns_watts_and_signs_into_the_houses_convention() -> None:
    assert one_card("load", -2500.0, factor=-0.001).value == 2.5


@pytest.mark.parametrize(
    ("role", "value", "word"),
    [
        ("solar", 1.0, "generating"),
        ("solar", 0.004, "idle"),
        ("solar", -1.0, "drawing"),
        ("battery", 1.0, "discharging"),
        ("battery", -1.0, "charging"),
        ("battery", -0.01, "idle"),
        ("ev", 7.4, "charging"),
        ("load", 0.4, "consuming"),
        ("grid", 1.0, "importing"),
        ("grid", -1.0, "exporting"),
        ("grid", 0.0, "balanced"),
    ],
)
def test_words_say_which_way_power_flows(role: str, value: float, word: str) -> None:
    assert one_card(role, value).direction == word


def test_where_a_word_says_the_direction_the_number_has_no_sign() -> None:
    assert one_card("battery", -1.5).display == "1.50"
    assert one_card("grid", -1.5).display == "1.50"


def test_a_wrong_sign_stays_visible_where_no_word_tells_it() -> None:
    assert one_card("load", -1.5).display == "−1.50"


@pytest.mark.parametrize(
    ("value", "text"), [(-0.001, "0.00"), (0.0, "0.00"), (-0.006, "−0.01"), (12.5, "12.50")]
)
def test_no_zero_is_negative(value: float, text: str) -> None:
    assert power_text(value) == text


@pytest.mark.parametrize(
    ("age", "cadence", "state"),
    [
        (60 * SECOND, 10, "fresh"),
        (61 * SECOND, 10, "stale"),
        (10 * MINUTE, 10, "stale"),
        (10 * MINUTE + 1, 10, "offline"),
        (15 * MINUTE, 300, "fresh"),
        (15 * MINUTE + 1, 300, "stale"),
        (30 * MINUTE + 1, 300, "offline"),
        (-5 * SECOND, 10, "fresh"),
    ],
)
def test_the_state_follows_age_and_cadence(age: int, cadence: float, state: str) -> None:
    assert state_of(age, cadence) == state


def test_a_stale_value_is_still_shown() -> None:
    card = one_card("solar", 2.0, age=5 * MINUTE)

    assert (card.state, card.value) == ("stale", 2.0)
    assert card.as_json(NOW)["note"] == "5 min ago"


def test_an_offline_device_shows_no_number() -> None:
    card = one_card("solar", 2.0, age=2 * HOUR)

    assert (card.state, card.value, card.display, card.direction) == ("offline", None, "–", "")
    assert card.as_json(NOW)["note"] == "No reading for 2 h"


def test_a_device_that_never_reported_is_offline_without_age() -> None:
    (card,) = cards.of([field("solar")], {1: {}}, now=NOW)

    assert (card.state, card.value, card.timestamp) == ("offline", None, None)
    assert card.as_json(NOW)["age"] is None
    assert card.as_json(NOW)["note"] == "No reading yet"


@pytest.mark.parametrize("value", ["fault", True])
def test_a_state_is_not_a_power(value: str | bool) -> None:
    assert one_card("solar", value).value is None


def test_devices_of_one_role_add_up_and_the_oldest_gives_the_age() -> None:
    fields = [field("solar", source=1), field("solar", source=2, factor=0.001)]
    newest = {1: {"P": (NOW - 3 * SECOND, 1.5)}, 2: {"P": (NOW - 8 * SECOND, 500.0)}}

    (card,) = cards.of(fields, newest, now=NOW)

    assert (card.value, card.timestamp, card.state) == (2.0, NOW - 8 * SECOND, "fresh")


def test_without_one_of_two_devices_the_card_is_stale_and_shows_no_half_sum() -> None:
    fields = [field("solar", source=1), field("solar", source=2)]

    (card,) = cards.of(fields, {1: {"P": (NOW, 1.5)}, 2: {}}, now=NOW)

    assert (card.state, card.value, card.missing) == ("stale", None, ["device2"])
    assert card.as_json(NOW)["note"] == "Nothing from device2"


def test_one_stale_device_of_two_makes_the_card_stale_and_keeps_the_sum() -> None:
    fields = [field("solar", source=1), field("solar", source=2)]
    newest = {1: {"P": (NOW, 1.5)}, 2: {"P": (NOW - 2 * MINUTE, 1.0)}}

    (card,) = cards.of(fields, newest, now=NOW)

    assert (card.state, card.value, card.missing) == ("stale", 2.5, [])


def test_a_role_that_no_device_declares_has_no_card_and_the_order_is_fixed() -> None:
    fields = [field("grid", name="G"), field("solar", name="S"), field("soc", name="C")]

    assert [card.role for card in cards.of(fields, {1: {}}, now=NOW)] == ["solar", "grid"]


def test_the_battery_card_carries_the_mean_state_of_charge() -> None:
    fields = [field("battery"), field("soc", name="A"), field("soc", name="B")]
    newest = {1: {"P": (NOW, -1.0), "A": (NOW, 60.0), "B": (NOW, 70.5)}}

    (card,) = cards.of(fields, newest, now=NOW)

    assert card.soc == 65.2


def test_a_state_of_charge_from_yesterday_is_left_out() -> None:
    fields = [field("battery"), field("soc", name="A")]
    newest = {1: {"P": (NOW, -1.0), "A": (NOW - 24 * HOUR, 60.0)}}

    (card,) = cards.of(fields, newest, now=NOW)

    assert card.soc is None


def test_a_stamp_ahead_of_the_clock_has_no_negative_age() -> None:
    assert one_card("solar", 1.0, age=-3 * SECOND).as_json(NOW)["age"] == 0


@pytest.mark.parametrize(
    ("age", "text"),
    [(0, "0 s"), (59_999, "59 s"), (MINUTE, "1 min"), (HOUR, "1 h"), (47 * HOUR, "47 h"), (72 * HOUR, "3 d")],
)
def test_ages_are_told_in_their_largest_unit(age: int, text: str) -> None:
    assert ago(age) == text


def test_a_card_tells_when_time_alone_will_change_it() -> None:
    fields = [field("solar"), field("load", name="L", cadence=300.0), field("grid", name="never")]
    newest = {1: {"P": (NOW - 70 * SECOND, 1.0), "L": (NOW, 1.0)}}

    instants = sorted(cards.changes(fields, newest, now=NOW))

    assert instants == [NOW - 70 * SECOND + 10 * MINUTE + 1, NOW + 15 * MINUTE + 1, NOW + 30 * MINUTE + 1]
    before, after = (cards.of(fields[:1], newest, now=instants[0] + shift)[0].state for shift in (-1, 0))
    assert (before, after) == ("stale", "offline")


def test_a_value_of_a_clock_far_ahead_is_stale_and_says_so() -> None:
    assert state_of(-5 * MINUTE, 10) == "fresh"
    card = one_card("solar", 1.0, age=-3 * HOUR)
    assert card.state == "stale"
    assert (card.as_json(NOW)["note"], card.as_json(NOW)["age"]) == ("Clock 3 h ahead", 0)
