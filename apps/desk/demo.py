"""The demo world's place in the database: three people, one house, its devices, and two weeks of history."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
from django.conf import settings
from django.core.management import CommandError
from tqdm import tqdm

from apps.accounts.models import User
from apps.accounts.passwords import DEMO_PASSWORD
from apps.accounts.roles import Role
from apps.analytics.mutations import create_required
from apps.desk import demo_building
from apps.desk.demo_devices import APPLIANCES, Appliance
from apps.devices import events, sessions
from apps.devices.edge.happenings import Happening
from apps.devices.models import Device
from apps.devices.mutations import create_device, update_device
from apps.houses import credentials
from apps.houses.models import House
from apps.houses.mutations import add_member, create_house
from apps.readings import store
from apps.readings.store import Block, Upload
from apps.readings.times import milliseconds
from collectors.simulation.history import History
from collectors.simulation.world import House as Building
from collectors.simulation.world import World

HOUSE = "demo"
ADMIN = "admin@wattdesk.example"
PEOPLE = {
    ADMIN: ("Demo administrator", Role.ADMINISTRATOR),
    "operator@wattdesk.example": ("Demo operator", Role.OPERATOR),
    "owner@wattdesk.example": ("Demo owner", Role.HOMEOWNER),
}
BUILDING = Building(zone="Europe/Brussels", latitude=50.85, longitude=4.35, volts=230.0, hertz=50.0)
SEED = 7
HISTORY = timedelta(days=14)
DAY_MS = 86_400_000


def refuse_a_real_installation() -> None:
    """Raise CommandError where people live whom the demo did not make."""
    if User.objects.exists() and not User.objects.filter(email=ADMIN).exists():
        raise CommandError(
            "This installation has users of its own, and the demo's password is public. "
            "Run the demo in another clone, or set WATTDESK_VAR to another folder."
        )


def clear() -> None:
    """Remove all houses with their history, and all people."""
    House.objects.all().delete()
    User.objects.all().delete()
    bundle_file().unlink(missing_ok=True)
    demo_building.clear()


def seed(*, now: datetime, url: str, ports: Mapping[str, int], history: timedelta | None = None) -> House:
    """Make what is missing of the demo, with readings up to `now`, and its agent's bundle for `url`.

    Each kind of device answers on its one of the `ports` of this machine. The `history` is two weeks long
    unless another length is given.
    """
    span = history or HISTORY
    for email, (name, role) in PEOPLE.items():
        if not User.objects.filter(email=email).exists():
            User.objects.create_user(email, DEMO_PASSWORD, name=name, role=role)
    house = _house()
    devices = [(_device(house, one, ports[one.kind]), one) for one in APPLIANCES]
    _write_bundle(house, url)
    weather = world(house, span)
    for device, appliance in devices:
        _fill_history(device, appliance, weather, now, span)
    create_required(house=house)  # after its history, which jobs then compute
    return house


def members() -> list[User]:
    """The people of the demo who see a house because they belong to it."""
    return list(User.objects.filter(email__in=PEOPLE).exclude(role=Role.ADMINISTRATOR))


def world(house: House, history: timedelta) -> World:
    """The simulated world of the demo house: the same at every start."""
    return World(SEED, milliseconds(world_start(house, history)), BUILDING)


def world_start(house: House, history: timedelta | None = None) -> datetime:
    """The UTC midnight at which the meter's registers stood at zero: a week before its history."""
    start = house.created_at - (history or HISTORY) - timedelta(days=7)
    return start.replace(hour=0, minute=0, second=0, microsecond=0)


def bundle_file() -> Path:
    """Where the demo's agent finds its credential."""
    return Path(settings.VAR) / "demo" / "bundle.json"


def free_ports() -> dict[str, int]:
    """A port on loopback that nobody uses now for each kind of device."""
    with ExitStack() as open_sockets:
        probes = {one.kind: open_sockets.enter_context(socket.socket()) for one in APPLIANCES}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        return {kind: probe.getsockname()[1] for kind, probe in probes.items()}


def _house() -> House:
    house = House.objects.filter(name=HOUSE).first()
    if house is None:
        house, _ = create_house(
            by=None,
            name=HOUSE,
            label="Demo house",
            description="A simulated home with solar panels, a battery and an electric car.",
            time_zone=BUILDING.zone,
            latitude=BUILDING.latitude,
            longitude=BUILDING.longitude,
        )
        house.credentials.all().delete()  # nobody has seen its key; the agent gets one of its own
    for user in members():
        add_member(house=house, user=user)
    return house


def _device(house: House, appliance: Appliance, port: int) -> Device:
    config = appliance.settings(port)
    device = Device.objects.filter(source__house=house, source__name=appliance.kind).first()
    if device is None:
        return create_device(
            house=house,
            name=appliance.kind,
            type=appliance.kind,
            label=appliance.label,
            config=config,
            interval_s=appliance.interval_s,
        )
    return update_device(device=device, config=config)


def _write_bundle(house: House, url: str) -> None:
    """Keep the agent's key over restarts; give it a new one when it has none that works."""
    path = bundle_file()
    key: str = json.loads(path.read_text())["key"] if path.exists() else ""
    usable = house.credentials.filter(digest=credentials.digest(key), revoked_at=None).exists()
    bundle = credentials.Bundle(house.name, url, key) if usable else credentials.issue(house=house)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(replace(bundle, url=url).as_dict()))


def _fill_history(
    device: Device, appliance: Appliance, world: World, now: datetime, history: timedelta
) -> None:
    """Store what the agent would have read since the newest reading, at most `history` back."""
    newest = max((stamp for stamp, _ in store.latest([device.pk]).get(device.pk, {}).values()), default=0)
    end, step = milliseconds(now), appliance.step
    start = -(-max(milliseconds(now - history), newest + step) // step) * step
    gap = milliseconds(device.source.house.created_at - timedelta(days=3))
    days = tqdm(
        list(_days(start, end)), f"History of {appliance.kind}", unit="day", disable=None, leave=False
    )
    for first, last in days:
        past = appliance.past(world, first, last, step, (gap, gap + 4 * 3_600_000))
        if past.timestamps:
            _store(device, past, now)


def _days(start: int, end: int) -> Iterable[tuple[int, int]]:
    """[start, end) in ms, cut at UTC midnights."""
    midnights = range((start // DAY_MS + 1) * DAY_MS, end, DAY_MS)
    return pairwise([start, *midnights, end]) if start < end else []


def _store(device: Device, history: History, now: datetime) -> None:
    stamps, fields = history.timestamps, history.fields
    block = Block(tuple(fields), np.array(stamps, np.int64), np.array(list(fields.values()), np.float64))
    store.append([Upload(device.pk, (block,))], received_at=now)
    for day in sorted({stamp // DAY_MS for stamp in stamps}):
        store.compact(device.pk, day)
    happened = [Happening(device.pk, one.timestamp, one.type, dict(one.data)) for one in history.events]
    events.add(house=device.source.house, happened=happened)
    sessions.renew(happened=happened)
