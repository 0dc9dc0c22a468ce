import logging
from collections.abc import Iterator
from typing import Any

import pytest

from collectors.agent.bundle import Bundle
from collectors.agent.client import Client
from collectors.agent.commander import Commander
from collectors.agent.orders import Order, Orders, Outcome
from collectors.agent.spool import Spool
from tests.collectors.agent.desk import Desk, wait_until

COMMAND = {"id": 7, "device": "battery", "data": {"action": "rest"}, "expires_at": 2_000_000_000_000}


class Given(list[Order]):
    """Who is given orders, and only notes them."""

    def __call__(self, orders: list[Order]) -> None:
        self.extend(orders)


@pytest.fixture
def given() -> Given:
    return Given()


@pytest.fixture
def orders(spool: Spool) -> Orders:
    return Orders(spool)


@pytest.fixture
def commander(desk: Desk, orders: Orders, given: Given) -> Iterator[Commander]:
    commander = Commander(Client(Bundle(**desk.bundle), timeout=5.0), orders, given, interval=60.0)
    yield commander
    commander.stop()
    if commander.is_alive():
        commander.join(5)


def test_what_the_server_lists_is_handed_on(desk: Desk, commander: Commander, given: Given) -> None:
    desk.commands = [COMMAND]
    assert commander.attempt()
    assert given == [Order(7, "battery", {"action": "rest"}, 2_000_000_000_000)]


def test_what_is_under_way_is_not_handed_on_again(
    desk: Desk, commander: Commander, orders: Orders, given: Given
) -> None:
    desk.commands = [COMMAND]
    orders.begin(7)
    assert commander.attempt()
    assert given == []


def test_outcomes_are_told_before_more_is_fetched(
    desk: Desk, commander: Commander, orders: Orders, given: Given
) -> None:
    desk.commands = [COMMAND]
    orders.finish(Outcome(7, "failed", "The battery is full."))
    assert commander.attempt()
    assert desk.results == [(7, {"state": "failed", "message": "The battery is full."})]
    assert given == orders.outcomes() == []


def test_an_outcome_is_kept_until_the_server_has_it(desk: Desk, commander: Commander, orders: Orders) -> None:
    orders.finish(Outcome(7, "verified"))
    desk.result_statuses = [503, 401]
    assert [commander.attempt(), commander.attempt()] == [False, False]
    assert orders.outcomes() == [Outcome(7, "verified")]
    assert commander.attempt()
    assert desk.results == [(7, {"state": "verified", "message": ""})]


def test_the_outcome_of_a_command_that_is_gone_is_let_go(
    desk: Desk, commander: Commander, orders: Orders
) -> None:
    orders.finish(Outcome(7, "verified"))
    desk.result_statuses = [404]
    assert commander.attempt()
    assert orders.outcomes() == []


@pytest.mark.parametrize("answer", [404, 500, {"no": "list"}, [{"id": "x"}]])
def test_another_answer_is_warned_of_once_and_survived(
    desk: Desk, commander: Commander, given: Given, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    desk.commands = answer
    assert not commander.attempt()
    assert not commander.attempt()
    assert caplog.text.count("Commands cannot be fetched") == 1
    desk.commands = [COMMAND]
    with caplog.at_level(logging.INFO):
        assert commander.attempt()
    assert "fetched again" in caplog.text
    assert len(given) == 1


def test_it_asks_when_it_is_told_to_and_when_something_was_done(
    desk: Desk, commander: Commander, orders: Orders, given: Given
) -> None:
    commander.start()
    wait_until(lambda: not orders.news.is_set())
    desk.commands = [COMMAND]
    commander.ask()
    wait_until(lambda: given)
    orders.finish(Outcome(7, "verified"))
    wait_until(lambda: desk.results)
