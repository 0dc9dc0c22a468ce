from collectors.agent.states import DAY_MS, States


def test_a_state_is_told_when_it_changes() -> None:
    states = States()
    seen = [states.changes(n, {"mode": mode}) for n, mode in enumerate(["on", "on", "off", "off", "on"])]
    assert seen == [{"mode": "on"}, {}, {"mode": "off"}, {}, {"mode": "on"}]


def test_a_truth_value_is_not_its_name_nor_its_number() -> None:
    states = States()
    assert [states.changes(n, {"x": x}) for n, x in enumerate([True, "True", True])] == [
        {"x": True},
        {"x": "True"},
        {"x": True},
    ]


def test_a_field_that_never_rests_is_cut_off_and_named() -> None:
    states = States()
    told = [states.changes(n, {"stamp": str(n), "mode": "on"}) for n in range(1_000)]
    assert states.restless() == []
    told += [states.changes(n, {"stamp": str(n), "mode": "on"}) for n in range(1_000, 1_200)]
    assert sum("stamp" in changed for changed in told) == 1_000
    (text,) = states.restless()
    assert "stamp changed more than 1,000 times" in text


def test_other_fields_of_the_source_are_still_told() -> None:
    states = States()
    for n in range(1_200):
        states.changes(n, {"stamp": str(n)})
    assert states.changes(1_200, {"stamp": "x", "mode": "on"}) == {"mode": "on"}


def test_the_next_day_begins_anew_from_the_last_state_told() -> None:
    states = States()
    for n in range(1_001):
        states.changes(n, {"stamp": str(n)})
    assert states.changes(DAY_MS, {"stamp": "999"}) == {}
    assert states.changes(DAY_MS + 1, {"stamp": "new"}) == {"stamp": "new"}
    assert states.restless() == []
