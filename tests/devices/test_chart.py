"""The chart of the day: 5-minute means in the house's own hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go
import pytest

from apps.devices.chart import local_texts, today
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.devices.roles import role_fields
from apps.houses.models import House
from apps.readings import store

MINUTE, HOUR = 60_000, 3_600_000
NOON = datetime(2026, 6, 1, 12, tzinfo=ZoneInfo("Europe/Brussels"))

Feed = Callable[..., None]


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def meter(house: House, name: str = "meter", *keys: str) -> Device:
    config = {"ip": "192.0.2.7", "keys": list(keys or ("A.Solar", "A.GridPower"))}
    return create_device(house=house, name=name, type="egauge", config=config)


def feed(device: Device, begin: int, end: int, *, step: int = MINUTE, **values: float) -> None:
    """Store constant means with their lengths: each holds over the `step` before its stamp."""
    stamps = np.arange(begin + step, end + 1, step, dtype=np.int64)
    fields = {f"A.{name}": value for name, value in values.items()} | {"_length": float(step)}
    table = np.repeat(np.array([[value] for value in fields.values()]), stamps.size, axis=1)
    block = store.Block(fields=tuple(fields), stamps=stamps, values=table)
    upload = store.Upload(source_id=device.pk, blocks=(block,))
    store.append([upload], received_at=datetime.now(UTC))


def figure(house: House, now: datetime) -> dict[str, Any]:
    made = today(house, role_fields(house), now=ms(now))
    go.Figure(made)  # raises for anything Plotly does not know
    return made


def trace(made: dict[str, Any], role: str) -> dict[str, Any]:
    (found,) = [one for one in made["data"] if one["meta"]["role"] == role]
    return found


def points(made: dict[str, Any], role: str) -> dict[str, float | None]:
    """{local time: kW}"""
    found = trace(made, role)
    return dict(zip(found["text"], found["y"], strict=True))


def test_today_runs_from_local_midnight_to_now_in_means_of_five_minutes(house_a: House) -> None:
    device = meter(house_a)
    feed(device, ms(NOON) - HOUR, ms(NOON), Solar=2.0, GridPower=0.5)

    made = figure(house_a, NOON)

    assert trace(made, "solar")["text"][0] == "00:00"
    assert trace(made, "solar")["x"][0] == ms(NOON.replace(hour=0))
    assert points(made, "solar")["11:30"] == 2.0
    assert made["layout"]["xaxis"]["range"] == [ms(NOON.replace(hour=0)), ms(NOON.replace(hour=0, day=2))]


def test_the_grid_is_drawn_in_the_houses_convention(house_a: House) -> None:
    feed(meter(house_a), ms(NOON) - HOUR, ms(NOON), Solar=2.0, GridPower=0.5)

    assert points(figure(house_a, NOON), "grid")["11:30"] == -0.5  # the eGauge counts export as positive


def test_gaps_are_null_and_break_the_line(house_a: House) -> None:
    device = meter(house_a)
    feed(device, ms(NOON) - 3 * HOUR, ms(NOON) - 2 * HOUR, Solar=1.0)
    feed(device, ms(NOON) - HOUR, ms(NOON), Solar=3.0)

    made = figure(house_a, NOON)
    solar = points(made, "solar")

    assert (solar["09:30"], solar["10:30"], solar["11:30"]) == (1.0, None, 3.0)
    assert trace(made, "solar")["connectgaps"] is False


def test_a_day_without_readings_is_all_gap(house_a: House) -> None:
    meter(house_a)

    assert set(points(figure(house_a, NOON), "solar").values()) == {None}


def test_devices_of_one_role_add_up_and_half_a_sum_is_a_gap(house_a: House) -> None:
    east, west = meter(house_a, "east", "A.Solar"), meter(house_a, "west", "A.Solar")
    feed(east, ms(NOON) - 2 * HOUR, ms(NOON), Solar=1.0)
    feed(west, ms(NOON) - HOUR, ms(NOON), Solar=2.5)

    solar = points(figure(house_a, NOON), "solar")

    assert (solar["10:30"], solar["11:30"]) == (None, 3.5)


def test_a_lone_value_is_a_dot(house_a: House) -> None:
    device = meter(house_a)
    feed(device, ms(NOON) - 2 * HOUR, ms(NOON) - 2 * HOUR + 5 * MINUTE, Solar=1.0)

    solar = trace(figure(house_a, NOON), "solar")

    assert solar["mode"] == "lines+markers"
    assert [text for text, size in zip(solar["text"], solar["marker"]["size"], strict=True) if size] == [
        "10:00"
    ]


def test_a_line_without_lone_values_has_no_dots(house_a: House) -> None:
    feed(meter(house_a), ms(NOON) - HOUR, ms(NOON), Solar=1.0)

    assert trace(figure(house_a, NOON), "solar")["mode"] == "lines"


def test_state_of_charge_is_no_power_and_not_drawn(house_a: House) -> None:
    config = {"ip": "192.0.2.7", "keys": ["A.Battery", {"name": "A.Charge", "role": "soc"}]}
    create_device(house=house_a, name="meter", type="egauge", config=config)

    assert [one["name"] for one in figure(house_a, NOON)["data"]] == ["Battery"]


def test_a_house_without_roles_has_an_empty_figure(house_a: House) -> None:
    assert figure(house_a, NOON)["data"] == []


def test_when_the_clock_goes_back_the_hour_that_comes_twice_is_told_apart(house_a: House) -> None:
    evening = datetime(2026, 10, 25, 23, tzinfo=ZoneInfo("Europe/Brussels"))
    device = meter(house_a)
    first_two = ms(datetime(2026, 10, 25, 0, tzinfo=UTC))  # 02:00 summer time
    feed(device, first_two, first_two + HOUR, Solar=1.0)
    feed(device, first_two + HOUR, first_two + 2 * HOUR, Solar=2.0)

    made = figure(house_a, evening)
    solar, (begin, end) = points(made, "solar"), made["layout"]["xaxis"]["range"]

    assert (solar["02:30 CEST"], solar["02:30 CET"]) == (1.0, 2.0)
    assert end - begin == 25 * HOUR
    assert made["layout"]["xaxis"]["ticktext"].count("02:00") == 2
    assert (np.diff(trace(made, "solar")["x"]) == 5 * MINUTE).all()


def test_when_the_clock_goes_forward_the_skipped_hour_has_no_tick(house_a: House) -> None:
    made = figure(house_a, datetime(2026, 3, 29, 20, tzinfo=ZoneInfo("Europe/Brussels")))

    assert "02:00" not in made["layout"]["xaxis"]["ticktext"]
    assert len(made["layout"]["xaxis"]["tickvals"]) == 23 + 1


def test_a_zone_off_by_45_minutes_has_its_own_hours(house_a: House) -> None:
    house_a.time_zone = "Asia/Kathmandu"
    house_a.save()
    now = datetime(2026, 6, 1, 12, tzinfo=ZoneInfo("Asia/Kathmandu"))
    feed(meter(house_a), ms(now) - HOUR, ms(now), Solar=2.0)

    made = figure(house_a, now)

    assert points(made, "solar")["11:15"] == 2.0
    assert made["layout"]["xaxis"]["ticktext"][:2] == ["00:00", "01:00"]
    assert made["layout"]["xaxis"]["tickvals"][0] == ms(datetime(2026, 5, 31, 18, 15, tzinfo=UTC))


def test_the_axis_names_the_zone(house_a: House) -> None:
    assert "Europe/Brussels" in figure(house_a, NOON)["layout"]["xaxis"]["title"]["text"]


@pytest.mark.parametrize("zone", ["Europe/Brussels", "Asia/Kathmandu", "UTC"])
def test_texts_are_wall_clock_times(zone: str) -> None:
    assert local_texts(zone, [ms(datetime(2026, 6, 1, 7, 5, tzinfo=ZoneInfo(zone)))]) == ["07:05"]
