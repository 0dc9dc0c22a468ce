"""Telling devices what to do: from the operator's word to the agent's outcome."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.devices import retention
from apps.devices.commands import LONGEST, MOST_OPEN, cancel_command, in_words, send_command
from apps.devices.models import Command, Device
from apps.devices.mutations import update_device
from apps.houses.models import House
from tests.devices.conftest import NOW, NOW_MS, Agent, batch

pytestmark = pytest.mark.usefixtures("noon")

MANUALLY = {"action": "set_mode", "mode": "manual", "value": 500.0}
FIVE_MINUTES = timedelta(minutes=5)


def send(device: Device, by: User | None = None, **changed: Any) -> Command:
    asked: dict[str, Any] = {"data": MANUALLY, "valid_for": FIVE_MINUTES, "now": NOW, **changed}
    return send_command(device=device, by=by, **asked)


class TestSending:
    def test_who_told_what_until_when_is_on_record(self, battery: Device, alice: User) -> None:
        command = send(battery, by=alice)
        assert (command.created_by, command.data, command.expires_at) == (alice, MANUALLY, NOW + FIVE_MINUTES)
        assert command.standing(NOW) == "waiting for the agent"

    @pytest.mark.parametrize(
        ("data", "setting"),
        [
            ({}, "action"),
            ({"action": "dance"}, "action"),
            ({"action": "set_mode"}, "mode"),
            ({"action": "set_mode", "mode": "backup"}, "mode"),
            ({"action": "batt_act", "value": "much"}, "value"),
            ({**MANUALLY, "speed": 1}, "speed"),
        ],
    )
    def test_what_the_type_does_not_know_is_refused_naming_the_setting(
        self, battery: Device, data: dict[str, Any], setting: str
    ) -> None:
        with pytest.raises(ValidationError) as caught:
            send(battery, data=data)
        assert (caught.value.params or {})["setting"] == setting
        assert not Command.objects.exists()

    def test_a_type_without_commands_takes_none(self, egauge: Device) -> None:
        with pytest.raises(ValidationError, match="it takes none"):
            send(egauge)

    def test_a_device_that_is_not_read_is_told_nothing(self, battery: Device, house_a: House) -> None:
        update_device(device=battery, enabled=False)
        with pytest.raises(ValidationError, match="not read"):
            send(battery)
        update_device(device=battery, enabled=True)
        House.objects.filter(pk=house_a.pk).update(enabled=False)
        with pytest.raises(ValidationError, match="not read"):
            send(battery)

    @pytest.mark.parametrize("valid_for", [timedelta(0), LONGEST + timedelta(seconds=1)])
    def test_it_is_valid_for_a_day_at_most(self, battery: Device, valid_for: timedelta) -> None:
        with pytest.raises(ValidationError, match="a day"):
            send(battery, valid_for=valid_for)

    def test_there_are_not_many_at_once(self, battery: Device) -> None:
        for _ in range(MOST_OPEN):
            send(battery)
        with pytest.raises(ValidationError, match="20 commands wait"):
            send(battery)
        assert send(battery, now=NOW + FIVE_MINUTES)  # the others have expired


class TestFetching:
    def test_the_agent_is_told_the_oldest_first(self, battery: Device, agent: Agent) -> None:
        first, second = send(battery), send(battery, data={"action": "batt_act", "value": -200.0})
        answer = agent.commands()
        assert answer.json() == [
            {"id": first.pk, "device": "battery", "data": MANUALLY, "expires_at": NOW_MS + 300_000},
            {"id": second.pk, "device": "battery", "data": second.data, "expires_at": NOW_MS + 300_000},
        ]
        assert answer["Cache-Control"] == "no-store"
        assert Command.objects.get(pk=first.pk).standing(NOW) == "with the agent"

    def test_it_is_listed_until_it_has_an_outcome(self, battery: Device, agent: Agent) -> None:
        command = send(battery)
        assert len(agent.commands().json()) == len(agent.commands().json()) == 1
        agent.result(command.pk, {"state": "verified"})
        assert agent.commands().json() == []

    def test_what_expired_or_was_cancelled_is_not_listed(
        self, battery: Device, agent: Agent, alice: User, noon: Any
    ) -> None:
        send(battery, valid_for=timedelta(minutes=1))
        cancelled = send(battery)
        assert cancel_command(command=cancelled, now=NOW, by=alice)
        noon.move_to(NOW + timedelta(minutes=1))
        assert agent.commands().json() == []

    def test_a_disabled_device_is_told_when_it_is_enabled(self, battery: Device, agent: Agent) -> None:
        send(battery)
        update_device(device=battery, enabled=False)
        assert agent.commands().json() == []
        assert "commands" not in agent.upload().json()
        update_device(device=battery, enabled=True)
        assert len(agent.commands().json()) == 1

    def test_another_house_hears_nothing(self, battery: Device, other_agent: Agent) -> None:
        command = send(battery)
        assert other_agent.commands().json() == []
        assert "commands" not in other_agent.upload().json()
        assert other_agent.result(command.pk, {"state": "verified"}).status_code == 404
        command.refresh_from_db()
        assert command.finished_at is None

    def test_uploads_tell_of_what_was_not_fetched(
        self, battery: Device, egauge: Device, agent: Agent
    ) -> None:
        assert "commands" not in agent.upload(batch(**{"A.Load": [1.0]})).json()
        send(battery)
        answer = agent.upload(batch(**{"A.Load": [2.0]})).json()
        assert (answer["stored"], answer["commands"]) == (1, True)
        agent.commands()
        assert "commands" not in agent.upload().json()

    def test_asking_costs_one_query_most_of_the_time(self, battery: Device, agent: Agent) -> None:
        agent.commands()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert agent.commands().json() == []
        assert len(queries) == 1


class TestOutcome:
    @pytest.mark.parametrize("state", ["verified", "failed"])
    def test_it_is_kept_with_the_agents_words(self, battery: Device, agent: Agent, state: str) -> None:
        command = send(battery)
        assert agent.result(command.pk, {"state": state, "message": "so\0 " + "x" * 900}).status_code == 200
        command.refresh_from_db()
        assert (command.state, command.finished_at) == (state, NOW)
        assert command.message == "so " + "x" * 497

    def test_repeats_and_second_thoughts_change_nothing(self, battery: Device, agent: Agent) -> None:
        command = send(battery)
        for state in ("verified", "verified", "failed"):
            assert agent.result(command.pk, {"state": state, "message": state}).status_code == 200
        command.refresh_from_db()
        assert (command.state, command.message) == ("verified", "verified")

    def test_what_happened_counts_also_after_it_was_cancelled_or_expired(
        self, battery: Device, agent: Agent, alice: User, noon: Any
    ) -> None:
        cancelled, expired = send(battery), send(battery)
        cancel_command(command=cancelled, now=NOW, by=alice)
        noon.move_to(NOW + timedelta(hours=1))
        assert expired.standing(NOW + timedelta(hours=1)) == "expired"
        for command in (cancelled, expired):
            agent.result(command.pk, {"state": "verified"})
            command.refresh_from_db()
            assert command.standing(NOW + timedelta(hours=1)) == "done and verified"

    @pytest.mark.parametrize("said", [{}, [], {"state": "waiting"}, {"state": "verified", "message": 5}, "x"])
    def test_anything_else_is_malformed(self, battery: Device, agent: Agent, said: Any) -> None:
        command = send(battery)
        answer = agent.result(command.pk, said)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")
        command.refresh_from_db()
        assert command.finished_at is None

    @pytest.mark.parametrize("number", [0, 10**6, 10**30])
    def test_a_command_that_is_none_is_not_found(self, battery: Device, agent: Agent, number: int) -> None:
        assert agent.result(number, {"state": "verified"}).status_code == 404

    def test_what_has_ended_cannot_be_cancelled(self, battery: Device, agent: Agent, alice: User) -> None:
        command = send(battery)
        agent.result(command.pk, {"state": "failed", "message": "full"})
        assert not cancel_command(command=command, now=NOW, by=alice)
        command.refresh_from_db()
        assert command.state == "failed"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (MANUALLY, "Set the mode: Mode manual, Set-point 500"),
        ({"action": "batt_act", "value": -200.5}, "Charge or discharge: Set-point -200.5"),
        ({"action": "gone"}, "{'action': 'gone'}"),
    ],
)
def test_it_is_told_in_words(battery: Device, data: dict[str, Any], words: str) -> None:
    assert in_words(Command(device=battery, data=data)) == words


def test_they_are_kept_for_a_year(battery: Device) -> None:
    old, young = send(battery), send(battery)
    Command.objects.filter(pk=old.pk).update(created_at=NOW - timedelta(days=366))
    retention.retain(now=NOW)
    assert list(Command.objects.all()) == [young]


def test_they_go_with_their_device(battery: Device) -> None:
    send(battery)
    battery.delete()
    assert not Command.objects.exists()


def test_each_sees_those_of_their_houses(battery: Device, alice: User, bob: User, charlie: User) -> None:
    command = send(battery)
    seen = [list(Command.objects.visible_to(user)) for user in (alice, bob, charlie)]
    assert seen == [[command], [command], []]
