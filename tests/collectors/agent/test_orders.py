from pathlib import Path

import pytest

from collectors.agent.orders import INTERRUPTED, MOST_OUTCOMES, Orders, Outcome
from collectors.agent.spool import Spool


def test_what_was_begun_is_known_until_the_server_knows_its_outcome(spool: Spool) -> None:
    orders = Orders(spool)
    assert not orders.knows(7)
    orders.begin(7)
    assert orders.knows(7)
    assert orders.outcomes() == []
    outcome = Outcome(7, "verified")
    orders.finish(outcome)
    assert orders.knows(7)
    assert orders.outcomes() == [outcome]
    orders.told(outcome)
    assert not orders.knows(7)
    assert orders.outcomes() == []


def test_after_a_restart_what_was_under_way_has_failed_and_is_not_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite3"
    before = Spool(path)
    Orders(before).begin(7)
    before.close()
    after = Spool(path)
    orders = Orders(after)
    assert orders.outcomes() == [Outcome(7, "failed", INTERRUPTED)]
    assert orders.knows(7)
    after.close()


def test_an_outcome_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite3"
    before = Spool(path)
    Orders(before).finish(Outcome(3, "failed", "The battery is full."))
    before.close()
    after = Spool(path)
    assert Orders(after).outcomes() == [Outcome(3, "failed", "The battery is full.")]
    after.close()


def test_news_are_told_of_with_an_outcome(spool: Spool) -> None:
    orders = Orders(spool)
    orders.begin(1)
    assert not orders.news.is_set()
    orders.finish(Outcome(1, "verified"))
    assert orders.news.is_set()


@pytest.mark.parametrize("kept", [b"{", b'{"begun": ["x"]}', b"[]"])
def test_a_spoilt_book_is_an_empty_one(spool: Spool, kept: bytes) -> None:
    spool.add([], {Orders.KEY: kept})
    assert Orders(spool).outcomes() == []


def test_outcomes_that_nobody_fetches_are_bounded_and_the_newest_stay(spool: Spool) -> None:
    orders = Orders(spool)
    for number in range(MOST_OUTCOMES + 5):
        orders.finish(Outcome(number, "verified"))
    assert len(orders.outcomes()) == MOST_OUTCOMES
    assert orders.outcomes()[-1].id == MOST_OUTCOMES + 4
