"""The device list an agent fetches, its acknowledgement, and what is known of the agent."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.devices.models import Device, EdgeUnit
from apps.devices.mutations import create_device, update_device
from apps.houses.models import House
from tests.devices.conftest import CONFIG, NOW, NOW_MS, Agent

pytestmark = pytest.mark.usefixtures("noon")


class TestList:
    def test_devices_come_with_their_secrets(self, agent: Agent, egauge: Device) -> None:
        answer = agent.config()
        assert answer.json() == {
            "version": 1,
            "devices": [{"name": "egauge", "type": "egauge", "interval_s": 10, "config": CONFIG}],
        }
        assert answer["Cache-Control"] == "no-store"

    def test_a_house_without_devices_has_an_empty_list(self, agent: Agent) -> None:
        assert agent.config().json() == {"version": 0, "devices": []}

    def test_every_change_makes_a_new_version(self, agent: Agent, egauge: Device, house_a: House) -> None:
        update_device(device=egauge, interval_s=30)
        assert agent.config().json()["version"] == 2
        create_device(house=house_a, name="second", type="egauge", config=CONFIG)
        assert agent.config().json()["version"] == 3

    def test_disabled_devices_are_left_out(self, agent: Agent, egauge: Device) -> None:
        update_device(device=egauge, enabled=False)
        assert agent.config().json() == {"version": 2, "devices": []}

    def test_a_disabled_house_has_no_devices(self, agent: Agent, egauge: Device, house_a: House) -> None:
        before = agent.config()["ETag"]
        House.objects.filter(pk=house_a.pk).update(enabled=False)
        answer = agent.config(before)
        assert (answer.status_code, answer.json()["devices"]) == (200, [])

    def test_nobody_sees_the_devices_of_another_house(self, other_agent: Agent, egauge: Device) -> None:
        assert other_agent.config().json() == {"version": 0, "devices": []}


class TestEtag:
    @pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
    def test_who_has_the_list_gets_304(self, agent: Agent, egauge: Device, form: str) -> None:
        etag = agent.config()["ETag"]
        answer = agent.config(form.format(etag))
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)

    def test_after_a_change_of_a_secret_it_is_sent_anew(self, agent: Agent, egauge: Device) -> None:
        etag = agent.config()["ETag"]
        update_device(device=egauge, config={**CONFIG, "password": "another"})
        answer = agent.config(etag)
        assert answer.status_code == 200
        assert answer.json()["devices"][0]["config"]["password"] == "another"
        assert answer["ETag"] != etag

    def test_any_other_tag_gets_the_list(self, agent: Agent, egauge: Device) -> None:
        assert agent.config('"1"').status_code == 200
        assert agent.config("nonsense").status_code == 200


class TestAck:
    def test_it_is_noted(self, agent: Agent, egauge: Device, house_a: House) -> None:
        errors = [{"device": "egauge", "message": "no answer"}]
        assert agent.ack({"version": 1, "errors": errors}).status_code == 200
        unit = EdgeUnit.objects.get(house=house_a)
        assert (unit.acked_version, unit.acked_at, unit.ack_errors) == (1, NOW, errors)

    def test_a_later_one_of_the_same_version_replaces_the_errors(self, agent: Agent, egauge: Device) -> None:
        agent.ack({"version": 1, "errors": [{"device": "egauge", "message": "no answer"}]})
        agent.ack({"version": 1})
        assert EdgeUnit.objects.get().ack_errors == []

    def test_an_older_version_changes_nothing(self, agent: Agent, egauge: Device) -> None:
        update_device(device=egauge, interval_s=30)
        agent.ack({"version": 2})
        assert agent.ack({"version": 1, "errors": [{"device": "x", "message": "y"}]}).status_code == 200
        unit = EdgeUnit.objects.get()
        assert (unit.acked_version, unit.ack_errors) == (2, [])

    def test_it_concerns_only_its_own_house(
        self, agent: Agent, other_agent: Agent, egauge: Device, house_a: House
    ) -> None:
        other_agent.ack({"version": 0})
        assert EdgeUnit.objects.get(house=house_a).acked_version is None

    @pytest.mark.parametrize(
        "content",
        [
            None,
            [],
            {},
            {"version": None},
            {"version": "1"},
            {"version": 1.5},
            {"version": True},
            {"version": -1},
            {"version": 2},
            {"version": 2**63},
            {"version": 10**30},
            {"version": 1, "errors": None},
            {"version": 1, "errors": {}},
            {"version": 1, "errors": ["egauge"]},
            {"version": 1, "errors": [{"device": "egauge"}]},
            {"version": 1, "errors": [{"device": 1, "message": "x"}]},
        ],
    )
    def test_anything_else_is_malformed(self, agent: Agent, egauge: Device, content: Any) -> None:
        answer = agent.ack(content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")
        assert EdgeUnit.objects.get().acked_version is None

    def test_texts_are_made_to_fit(self, agent: Agent, egauge: Device) -> None:
        errors = [{"device": "a\0b", "message": "x" * 2_000}] * 1_000
        assert agent.ack({"version": 1, "errors": errors}).status_code == 200
        (first, *others) = EdgeUnit.objects.get().ack_errors
        assert (first["device"], len(first["message"]), len(others)) == ("ab", 500, 199)


class TestUnit:
    def test_a_heartbeat_tells_how_the_agent_fares(self, agent: Agent, house_a: House) -> None:
        agent.upload(
            agent={
                "version": "0.1.0",
                "sent_at": NOW_MS - 1_500,
                "spool": 12,
                "spool_bound": 2_000_000,
                "config_version": 3,
            }
        )
        unit = EdgeUnit.objects.get(house=house_a)
        assert (unit.agent_version, unit.running_version, unit.last_seen_at) == ("0.1.0", 3, NOW)
        assert (unit.spool, unit.spool_bound, unit.clock_offset_ms) == (12, 2_000_000, -1_500)

    @pytest.mark.parametrize(
        "about",
        [
            None,
            5,
            [],
            "x",
            {"version": 5, "sent_at": "now", "spool": -1, "spool_bound": True, "config_version": None},
            {"spool": 2**63, "sent_at": 10**30},
            {"spool": 1.5},
        ],
    )
    def test_what_makes_no_sense_is_passed_over(self, agent: Agent, about: Any) -> None:
        assert agent.upload(agent=about).status_code == 200
        unit = EdgeUnit.objects.get()
        assert (unit.last_seen_at, unit.agent_version, unit.spool) == (NOW, "", None)

    def test_a_long_version_is_cut(self, agent: Agent) -> None:
        agent.upload(agent={"version": "v\0" * 100})
        assert EdgeUnit.objects.get().agent_version == "v" * 40

    def test_it_is_written_at_most_every_ten_seconds(self, agent: Agent, noon: Any) -> None:
        agent.upload(agent={"spool": 1})
        noon.shift(9)
        agent.upload(agent={"spool": 2})
        assert EdgeUnit.objects.get().spool == 1
        noon.shift(1)
        agent.upload(agent={"spool": 3})
        assert EdgeUnit.objects.get().spool == 3

    def test_another_version_is_written_at_once(self, agent: Agent) -> None:
        agent.upload()
        agent.upload(agent={"version": "1", "config_version": 1})
        agent.upload(agent={"version": "1", "config_version": 2})
        assert EdgeUnit.objects.get().running_version == 2

    def test_what_is_not_said_stays_as_it_was(self, agent: Agent, noon: Any) -> None:
        agent.upload(agent={"version": "1", "spool": 5})
        noon.shift(60)
        agent.upload()
        unit = EdgeUnit.objects.get()
        assert (unit.agent_version, unit.spool) == ("1", 5)
        assert unit.last_seen_at == NOW + timedelta(minutes=1)

    def test_fetching_the_list_counts_as_being_seen(self, agent: Agent) -> None:
        agent.config()
        assert EdgeUnit.objects.get().last_seen_at == NOW

    @pytest.mark.django_db(transaction=True)
    def test_a_heartbeat_costs_one_query_most_of_the_time(self, agent: Agent) -> None:
        body = json.dumps({"batches": [], "agent": {"spool": 1}}).encode()
        agent.send(body)
        with CaptureQueriesContext(connection) as queries:
            agent.send(body)
        assert len(queries) == 1
