"""The demo's second place: an office whose solar and load meters hang on two loggers, one of them late.

Nothing measures what it takes from the grid: that meter is derived. Its readings come over the real protocol,
from simulated loggers that bring two weeks of backlog when the demo starts.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from apps.accounts.models import User
from apps.desk.running import answers, child
from apps.houses.models import House
from apps.houses.mutations import add_member, create_house
from apps.meters import loggers, metering, passwords
from apps.meters.acquisuite import classes
from apps.meters.acquisuite.points import ROLES
from apps.meters.models import Logger, LoggerDevice, Meter, MeterSet
from apps.meters.sets.models import Topology
from apps.meters.sets.mutations import Spec, declare_set
from apps.readings import store
from apps.readings.series import FieldSpec, declare
from collectors.simulation import acquisuite
from config.supervisor import Child

HOUSE = "office"
ZONE, LATITUDE, LONGITUDE = "Europe/Brussels", 50.85, 4.35
SEED = 11
PERIOD_S = 300
HISTORY = timedelta(days=14)
PATH = "/api/v1/loggers/acquisuite/"


@dataclass(frozen=True)
class Box:
    """A logger of the office: what it reads, and how often it calls (s)."""

    serial: str
    label: str
    meter: str
    every: int


BOXES = [
    Box("001EC6D0A001", "Basement logger", "load", every=60),
    # It brings its history at once and is late from then on: what is newest is waited for, half an hour long.
    Box("001EC6D0A002", "Roof logger", "solar", every=1800),
]


def seed(*, now: datetime, members: Collection[User]) -> House:
    """Make what is missing of the office: house, loggers, meters and the set that says what they measure."""
    house = House.objects.filter(name=HOUSE).first()
    if house is None:
        house, _ = create_house(
            by=None,
            name=HOUSE,
            label="Office building",
            description="A simulated office: two loggers read its load and its solar panels, and the utility"
            " meter is derived.",
            time_zone=ZONE,
            latitude=LATITUDE,
            longitude=LONGITUDE,
        )
        house.credentials.all().delete()  # it has no agent
    for user in members:
        add_member(house=house, user=user)
    meters = {box.meter: _meter(house, box, now) for box in BOXES}
    if not MeterSet.objects.filter(house=house).exists():
        members_of_set = [Spec(meter.source, role) for role, meter in meters.items()]
        declare_set(house=house, topology=Topology.NO_UTILITY, members=members_of_set, now=now)
    return house


def clear() -> None:
    """Forget the loggers' passwords."""
    _file().unlink(missing_ok=True)


def children(house: House, *, url: str, now: datetime) -> list[Child]:
    """The simulated loggers, which call once the server at `url` answers."""
    return [_child(house, box, url, now) for box in BOXES]


def _meter(house: House, box: Box, now: datetime) -> Meter:
    """The meter of a logger's one device, with the points that the device's class has."""
    meter = Meter.objects.filter(source__house=house, source__name=box.meter).first()
    if meter is not None:
        return meter
    logger = loggers.add_logger(
        house=house,
        serial=box.serial,
        label=box.label,
        password=_password(box),
        log_period_s=PERIOD_S,
        now=now,
    )[0]
    sold = acquisuite.METERS[box.meter]
    device, _ = LoggerDevice.objects.get_or_create(logger=logger, address=sold.address)
    meter = metering.create_meter(house=house, name=box.meter, label=f"{sold.name} meter")
    declare(source=meter.source, fields=_points(sold.kind.number))
    metering.assign(device=device, meter=meter)
    return meter


def _points(number: int) -> list[FieldSpec]:
    known = next(one for one in classes.CLASSES if one.number == number)
    roles = [ROLES[name] for name in known.roles.values()]
    return [FieldSpec(one.name, one.quantity, one.unit, one.kind, PERIOD_S, metering.SIGN) for one in roles]


def _child(house: House, box: Box, url: str, now: datetime) -> Child:
    password = _password(box)
    if passwords.verify(box.serial, password, now=now) is None:
        logger = Logger.objects.get(serial=box.serial)
        loggers.change_password(logger=logger, password=password, now=now, by=None)
    world_start = house.created_at - HISTORY - timedelta(days=7)
    options = {
        "--seed": str(SEED),
        "--start": f"{world_start:%Y-%m-%d}",
        "--zone": ZONE,
        "--latitude": f"{LATITUDE}",
        "--longitude": f"{LONGITUDE}",
        "--battery": "0",  # which would stand behind the load's meter
        "--url": f"{url}{PATH}",
        "--logger": f"{box.serial}:{password}:{box.meter}",
        "--days": f"{_days(house, box, now):.3f}",
        "--period": str(PERIOD_S),
        "--every": str(box.every),
    }
    argv = [part for option in options.items() for part in option]
    return child(
        f"logger {box.meter}", "collectors", "simulate", "acquisuite", *argv, after=lambda: answers(url)
    )


def _days(house: House, box: Box, now: datetime) -> float:
    """How much a logger has on its flash: all since its newest row, two weeks at first."""
    meter = Meter.objects.get(source__house=house, source__name=box.meter)
    newest = max((stamp for stamp, _ in store.latest([meter.pk])[meter.pk].values()), default=0)
    missed = now.timestamp() - newest / 1000
    return min(HISTORY.total_seconds(), missed + 2 * PERIOD_S) / 86_400


def _password(box: Box) -> str:
    """The logger's password, made at the first start and kept for the next."""
    path = _file()
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if box.serial not in known:
        known[box.serial] = passwords.make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(known))
    return known[box.serial]


def _file() -> Path:
    return Path(settings.VAR) / "demo" / "loggers.json"
