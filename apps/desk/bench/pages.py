"""`bench pages`: what people look at, by several at once, beside an empty page of the same server.

It has servers and a folder of its own: the demo's house with two months of history and its items kept, and
other houses with so many devices that lists are long. One web server, started as `up` starts it, serves all
pages and the empty one; they take turns, and every viewer asks again as soon as the answer is there.
"""

from __future__ import annotations

import http.client
import itertools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from tqdm import tqdm

from apps.accounts.models import User
from apps.accounts.mutations import create_user
from apps.accounts.roles import Role
from apps.desk import demo
from apps.desk.bench.apart import is_inside, run_apart
from apps.desk.bench.empty import EMPTY, KNOWN
from apps.desk.bench.results import BenchError, Goal, Row, row
from apps.desk.bench.serving import Server, gunicorn, post
from apps.desk.running import collect_static
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.models import House, Membership
from apps.houses.mutations import create_house
from apps.jobs.models import Job
from apps.jobs.run import perform
from apps.readings import store
from apps.readings.models import Invalidation
from apps.readings.store import Block, Upload
from apps.readings.times import milliseconds

BENCH = "pages"
EMPTY_PAGE, KNOWN_PAGE = "empty page", "empty page, logged in"
BACKEND = "django.contrib.auth.backends.ModelBackend"
IN_A_HOUSE = 20
"""Devices of each of the houses that make lists long."""
DATA, REPORT, LIST = Goal(4), Goal(6), Goal(8)
PARTS = (50, 95)
SETTLE_S = 600
ARRIVAL_GAP = 10_000
"""ms between two arrivals, as agents upload."""


@dataclass(frozen=True)
class Size:
    """How many look, at how long lists and how much history, and how often each asks in each round."""

    viewers: int = 8
    devices: int = 2000
    days: int = 62
    rounds: int = 5
    asks: int = 10


@dataclass(frozen=True)
class Page:
    """An address under measurement; `fresh` when something arrives each time before it is asked for."""

    name: str
    path: str
    goal: Goal | None = None
    staff: bool = False
    fresh: bool = False


class Viewer:
    """Somebody who looks: a session, one connection at a time, and the tag of the last answer."""

    def __init__(self, user: User, port: int) -> None:
        client = Client()
        client.force_login(user, backend=BACKEND)
        self._cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._tags: dict[str, str] = {}

    def ask(self, path: str) -> float:
        """Seconds until the whole answer is there. Raises BenchError for anything but a good one."""
        headers = {"Cookie": self._cookie, "Accept-Encoding": "gzip"}
        if path in self._tags:
            headers["If-None-Match"] = self._tags[path]
        started = time.perf_counter()
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        response.read()
        passed = time.perf_counter() - started
        if response.status not in (200, 304):
            raise BenchError(f"{path} answered {response.status}.")
        if tag := response.headers.get("ETag"):
            self._tags[path] = tag
        return passed

    def rest(self) -> None:
        """Hang up, as the server does soon after; the next question opens another connection."""
        self._connection.close()


def run(size: Size, *, now: datetime) -> list[Row]:
    """Run it on servers of its own, in a process of its own. Raises BenchError."""
    return _inside(size, now) if is_inside() else run_apart(BENCH, size)


def _inside(size: Size, now: datetime) -> list[Row]:
    call_command("migrate", interactive=False, verbosity=0)
    collect_static(Path(settings.STATIC_ROOT))
    house = _make_house(size, now)
    _make_fleet(size, now)
    limits = {"LOG_LEVEL": "ERROR", "API_REQUESTS_PER_MINUTE": "1000000000"}
    with gunicorn("apps.desk.bench.empty_wsgi:application", environment=limits, path=EMPTY) as server:
        owners = _viewers(Role.HOMEOWNER, size.viewers, server.port)
        operators = _viewers(Role.OPERATOR, size.viewers, server.port)
        times = _measure(size, server, house, owners, operators)
    return list(_rows(_pages(house), times))


# ---- The world


def _make_house(size: Size, now: datetime) -> House:
    """The demo's house, with all that is due done."""
    ports = demo.free_ports()
    house = demo.seed(now=now, url="http://127.0.0.1", ports=ports, history=timedelta(days=size.days))
    _settle(now)
    for job in tqdm(list(Job.objects.unfinished()), "Items", unit="item", disable=None, leave=False):
        perform(job.pk)
    _settle(now)
    return house


def _settle(now: datetime) -> None:
    """Work out all that is marked, as the sweep does every minute."""
    until = time.monotonic() + SETTLE_S
    store.sweep(now=now)
    while Invalidation.objects.exists():
        if time.monotonic() > until:
            raise BenchError(f"The history was not worked out within {SETTLE_S} s.")
        store.sweep(now=now)


def _make_fleet(size: Size, now: datetime) -> None:
    """Houses full of meters that were heard of just now, a few seconds apart."""
    stamp = milliseconds(now)
    houses = range(0, size.devices, IN_A_HOUSE)
    for first in tqdm(houses, "Devices", unit="house", disable=None, leave=False):
        house, _ = create_house(by=None, name=f"house-{first // IN_A_HOUSE:04d}")
        numbers = range(first, min(first + IN_A_HOUSE, size.devices))
        devices = [_meter(house, number) for number in numbers]
        uploads = [Upload(one.pk, (_reading(stamp - 10 * one.pk),)) for one in devices]
        store.append(uploads, received_at=now)


def _meter(house: House, number: int) -> Device:
    config = {"ip": f"10.0.{number // 250}.{number % 250 + 1}", "keys": ["A.Load", "A.Solar"]}
    return create_device(
        house=house, name=f"meter_{number}", type="egauge", config=config, label=f"Meter {number}"
    )


def _reading(stamp: int) -> Block:
    return Block(("A.Load", "A.Solar"), np.array([stamp], np.int64), np.array([[-1.5], [0.5]]))


def _viewers(role: str, count: int, port: int) -> list[Viewer]:
    """People who belong to all houses."""
    people = [create_user(by=None, email=f"{role}-{one}@example.com", role=role) for one in range(count)]
    houses = (
        list(House.objects.all()) if role == Role.OPERATOR else list(House.objects.filter(name=demo.HOUSE))
    )
    Membership.objects.bulk_create(Membership(house=house, user=user) for house in houses for user in people)
    return [Viewer(user, port) for user in people]


# ---- Asking


def _pages(house: House) -> list[Page]:
    own = f"/houses/{house.pk}"
    return [
        Page("dashboard page", f"{own}/"),
        Page("dashboard data, unchanged", f"{own}/live/", DATA),
        Page("dashboard data, after an arrival", f"{own}/live/", DATA, fresh=True),
        Page("month report", f"{own}/reports/load/?period=month", REPORT),
        Page("admin start page", "/admin/", LIST, staff=True),
        Page("device list", "/admin/devices/device/", LIST, staff=True),
    ]


def _measure(
    size: Size, server: Server, house: House, owners: Sequence[Viewer], operators: Sequence[Viewer]
) -> dict[str, list[float]]:
    """Seconds of every answer, by the name of what was asked for."""
    upload = _uploader(server, house)
    sides = [Page(EMPTY_PAGE, EMPTY), Page(KNOWN_PAGE, KNOWN), *_pages(house)]
    times: dict[str, list[float]] = defaultdict(list)
    with ThreadPoolExecutor(size.viewers) as pool:
        for number in tqdm(range(size.rounds + 1), "Rounds", unit="round", disable=None, leave=False):
            for side in sides:
                found = _ask(side, operators if side.staff else owners, size.asks, pool, upload)
                times[side.name] += found if number else []  # the first warms everything up
                for viewer in (*owners, *operators):
                    viewer.rest()
            store.sweep(now=datetime.now().astimezone())
    return times


def _ask(
    page: Page, viewers: Sequence[Viewer], asks: int, pool: ThreadPoolExecutor, upload: Callable[[], None]
) -> list[float]:
    """All viewers at once, each `asks` times; of a `fresh` page, once after each arrival."""
    if not page.fresh:
        shares = pool.map(lambda one: [one.ask(page.path) for _ in range(asks)], viewers)
        return [passed for share in shares for passed in share]
    found = []
    for _ in range(asks):
        upload()
        found += list(pool.map(lambda one: one.ask(page.path), viewers))
    return found


def _uploader(server: Server, house: House) -> Callable[[], None]:
    """What uploads the next reading of the house's meter, as its agent does."""
    key = credentials.issue(house=house).key
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    stamps = itertools.count(int(time.time()) * 1000, ARRIVAL_GAP)

    def upload() -> None:
        values = {"A.Load": [-1.5 - math.sin(time.time())], "A.Solar": [0.5], "A.GridPower": [-1.0]}
        batch = {"source": "egauge", "timestamps": [next(stamps)], "fields": values}
        status, answer = post(
            server, "/api/v1/edge/readings/", msgspec.json.encode({"batches": [batch]}), headers
        )
        if status != 200 or b'"refused":[]' not in answer:
            raise BenchError(f"An upload was answered {status}: {answer[:200].decode(errors='replace')}")

    return upload


def _rows(pages: Sequence[Page], times: Mapping[str, list[float]]) -> Iterator[Row]:
    for page in pages:
        for part in PARTS:
            ours, empty, known = (
                1000 * float(np.percentile(times[name], part)) for name in (page.name, EMPTY_PAGE, KNOWN_PAGE)
            )
            metric = f"{page.name}, p{part}"
            yield row(BENCH, metric, ours, "ms", against=EMPTY_PAGE, theirs=empty, goal=page.goal)
            yield row(BENCH, metric, ours, "ms", against=KNOWN_PAGE, theirs=known)
