"""The demo as a newcomer starts it, stops it, kills it and starts it again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import CommandError

from apps.accounts.models import User
from apps.accounts.passwords import DEMO_PASSWORD
from apps.desk import demo
from apps.devices.models import Device, Event
from apps.devices.roles import role_fields
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Series
from apps.readings.samples import Samples
from config.embedded import free_port
from config.processes import wait_until
from tests.config.installations import Installation, all_gone, family
from tests.config.processes import assert_none_left, kill

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR_MS = 3_600_000
URL = "http://127.0.0.1:8000"
PORTS = {"egauge": 8081, "powerflex": 8082, "sonnen": 8083}


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def samples_of(source: str, field: str) -> Samples:
    series = Series.objects.get(source__name=source, field=field)
    return store.read([series.pk], start=0, end=ms(NOW + 30 * DAY))[series.pk]


def stamps_of(source: str = "egauge", field: str = "A.Solar") -> list[int]:
    stamps: list[int] = samples_of(source, field).stamps.tolist()
    return stamps


@pytest.fixture
def house(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """The demo's house, made at NOW; four days of history stand for its two weeks."""
    settings.VAR = tmp_path
    monkeypatch.setattr(demo, "HISTORY", 4 * DAY)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    return demo.seed(now=NOW, url=URL, ports=PORTS)


class TestSeed:
    def test_the_balance_of_power_holds_in_what_is_stored(self, house: House) -> None:
        names = ["A.Solar", "A.Battery", "A.GridPower", "A.EV", "A.Load"]
        series = {s.field: s.pk for s in Series.objects.filter(source__house=house, field__in=names)}
        found = store.read(list(series.values()), start=0, end=ms(NOW))
        solar, battery, grid, ev, load = (found[series[name]].values for name in names)
        assert len(solar) > 25_000
        assert abs(solar + battery - grid + ev + load).max() < 1e-3  # the meter's signs: export and use swap

    def test_the_history_reaches_up_to_now_with_one_gap(self, house: House) -> None:
        stamps = stamps_of()
        waits = [after - before for before, after in pairwise(stamps)]
        assert ms(NOW) - stamps[-1] <= 10_000
        assert stamps[0] - ms(NOW - 4 * DAY) <= 10_000
        assert [round(wait / HOUR_MS, 1) for wait in waits if wait > 60_000] == [4.0]

    def test_a_second_start_fills_in_only_what_was_missed(self, house: House) -> None:
        before = stamps_of()
        again = demo.seed(now=NOW + timedelta(hours=1), url=URL, ports={**PORTS, "egauge": 8092})
        after = stamps_of()
        assert again == house
        assert after[: len(before)] == before
        assert after[-1] - before[-1] > 0.99 * HOUR_MS
        assert Device.objects.get(type="egauge").config["ip"] == "127.0.0.1:8092"

    def test_the_agents_key_stays_over_restarts_and_is_private(self, house: House) -> None:
        first = demo.bundle_file().read_text()
        demo.seed(now=NOW, url=URL, ports=PORTS)
        assert demo.bundle_file().read_text() == first
        assert demo.bundle_file().stat().st_mode & 0o777 == 0o600
        house.credentials.all().delete()
        demo.seed(now=NOW, url=URL, ports=PORTS)
        assert demo.bundle_file().read_text() != first

    def test_every_device_declares_what_its_history_holds(self, house: House) -> None:
        for device in Device.objects.all():
            declared = {field.name for field in device.fields()}
            held = set(device.source.series.values_list("field", flat=True))
            assert {name for name in held if not name.startswith("_")} == declared

    def test_each_role_is_measured_by_one_device(self, house: House) -> None:
        assert {(field.role, field.field) for field in role_fields(house)} == {
            ("solar", "A.Solar"),
            ("grid", "A.GridPower"),
            ("load", "A.Load"),
            ("ev", "power"),
            ("battery", "status.Pac_total_W"),
            ("soc", "battery.battery_status.relativestateofcharge"),
        }
        assert len(role_fields(house)) == 6

    @pytest.mark.parametrize(
        ("register", "sign", "source", "field"),
        [("A.Battery", 1, "sonnen", "status.Pac_total_W"), ("A.EV", -1, "powerflex", "power")],
    )
    def test_the_devices_agree_with_the_meter(
        self, house: House, register: str, sign: int, source: str, field: str
    ) -> None:
        start = ms(NOW - 2 * DAY)
        meter, lengths = samples_of("egauge", register), samples_of("egauge", "_length")
        later = meter.stamps > start
        measured = sign * (meter.values * lengths.values)[later].sum() / HOUR_MS
        device = samples_of(source, field)
        kilowatts = device.values[device.stamps >= start] / 1000
        sampled = ((kilowatts[:-1] + kilowatts[1:]) / 2).sum() / 60
        assert abs(sampled) > 0.5 or source == "sonnen"
        assert abs(measured - sampled) < 0.1

    def test_past_charging_sessions_are_told(self, house: House) -> None:
        happened = Event.objects.filter(source__name="powerflex").order_by("timestamp")
        types = [event.type for event in happened]
        assert types[-4:] in (
            ["EV_START_CHARGING", "EV_END_CHARGING"] * 2,
            ["EV_END_CHARGING", "EV_START_CHARGING"] * 2,
        )
        assert all(e.data["energy"] > 1e6 for e in happened if e.type == "EV_END_CHARGING")

    def test_only_what_is_read_in_the_house_has_the_gap(self, house: House) -> None:
        waits = {
            source: max(after - before for before, after in pairwise(stamps_of(source, field)))
            for source, field in [("sonnen", "status.Pac_total_W"), ("powerflex", "power")]
        }
        assert round(waits["sonnen"] / HOUR_MS, 1) == 4.0
        assert waits["powerflex"] == 60_000

    def test_clearing_removes_houses_people_and_the_key(self, house: House) -> None:
        demo.clear()
        assert not House.objects.exists()
        assert not User.objects.exists()
        assert not demo.bundle_file().exists()

    def test_a_house_with_people_of_its_own_is_left_alone(self, alice: User) -> None:
        with pytest.raises(CommandError, match="users of its own"):
            demo.refuse_a_real_installation()


class Visitor(requests.Session):
    """Somebody's browser at an address."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def log_in(self, email: str) -> requests.Response:
        address = f"{self.url}/accounts/login/"
        page = self.get(address, timeout=10)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token
        form = {"username": email, "password": DEMO_PASSWORD, "csrfmiddlewaretoken": token[1]}
        return self.post(address, form, headers={"Referer": address}, timeout=10)

    def cards(self) -> dict[str, Any]:
        """The house page's cards by role."""
        house = self.get(f"{self.url}/api/v1/houses/", timeout=10).json()[0]
        answer = self.get(f"{self.url}/houses/{house['id']}/live/", timeout=10).json()
        return {card["role"]: card for card in answer["cards"]}

    def load(self) -> Any:
        """The card that never stands still."""
        return self.cards()["load"]["value"]


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "var"
    assert_none_left(tmp_path)


def started(var: Path) -> Installation:
    """In the shell of somebody who serves the real one by TLS."""
    demo_run = Installation("demo", var, free_port(), PUBLIC_URL="https://desk.example")
    assert demo_run.says(f"answers at {demo_run.url}"), demo_run.output
    return demo_run


@pytest.mark.slow
def test_the_demo_comes_alive_and_leaves_nobody_however_it_ends(var: Path) -> None:
    begun = time.monotonic()
    first = started(var)
    visitor = Visitor(first.url)
    assert visitor.log_in("owner@wattdesk.example").url == f"{first.url}/"
    assert time.monotonic() - begun < 60
    seen = visitor.load()
    assert wait_until(lambda: visitor.load() != seen, seconds=20)
    assert wait_until(lambda: {card["state"] for card in visitor.cards().values()} == {"fresh"}, seconds=20)
    assert 0 <= visitor.cards()["battery"]["soc"] <= 100
    assert "owner@wattdesk.example" in first.output
    first.process.terminate()
    assert first.wait() == 143
    assert_none_left(var)

    second = started(var)
    operator = Visitor(second.url)
    operator.log_in("operator@wattdesk.example")
    assert operator.get(f"{second.url}/admin/", timeout=10).status_code == 200
    pids = family(second.process.pid)
    kill(second.process.pid)
    second.wait()
    assert wait_until(lambda: all_gone(pids), seconds=10)
    assert_none_left(var)
