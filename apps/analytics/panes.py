"""What the admin's pages show of analytics items beside their forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from django.db.models import Count, Q
from django.urls import reverse

from apps.accounts.models import User
from apps.analytics import definitions, keeping, mutations, removal, required
from apps.analytics.definitions import written
from apps.analytics.formula import FormulaError, parse, references
from apps.analytics.inputs import series_of
from apps.analytics.models import AnalyticsItem, ItemDay
from apps.analytics.newest import newest_of
from apps.devices.models import Device
from apps.houses.models import House
from apps.jobs.models import Job
from apps.readings.models import Series
from apps.readings.samples import DAY

OFF, ON, FILLING, STOPPED, REMOVING, LEFTOVER = (
    "off",
    "on",
    "computing",
    "stopped",
    "being removed",
    "off, with remains",
)
COLOURS = {ON: "success", FILLING: "info", STOPPED: "danger", REMOVING: "warning", LEFTOVER: "danger"}
"""The colour of each word about the results of an item."""
MOST_HOUSES = 5
"""Houses that a list tells what they lack."""


@dataclass(frozen=True)
class Kept:
    """How the results of an item are kept, in words; `progress` in per cent while days are due."""

    word: str
    detail: str = ""
    progress: int | None = None

    @property
    def colour(self) -> str:
        """The class of the word."""
        return COLOURS.get(self.word, "")


@dataclass(frozen=True)
class Consequence:
    """The days of an item that saving has computed again; the first and the last as dates, if there are."""

    item: AnalyticsItem
    days: int
    first: str
    last: str


@dataclass(frozen=True)
class Connection:
    """Something that a formula reads, and where its page is, if it has one."""

    name: str
    url: str = ""


@dataclass(frozen=True)
class Lack:
    """That a house lacks required items: how many and, where they are few, which."""

    house: House
    count: int
    names: list[str]


def kept(item: AnalyticsItem, job: Job | None = None) -> Kept:
    """How far the results of `item`, fetched `with_days`, are; `job` computes or removes them."""
    counted = cast(Any, item)
    due, days = counted.due_days, counted.all_days
    if not item.aggregated:
        if item.source_id is None:
            return Kept(OFF)
        text = (
            "A job removes its results." if job else "Removing its results was stopped: switch it off again."
        )
        return Kept(REMOVING if job else LEFTOVER, text)
    if not due:
        return Kept(ON, f"{days} day{'s' * (days != 1)} kept." if days else "No readings yet.")
    left = f"{days - due} of {days} days are computed."
    return Kept(FILLING if job else STOPPED, left, 100 * (days - due) // max(1, days))


def state_context(item: AnalyticsItem, user: User, now: datetime) -> dict[str, Any]:
    """What the part of a page needs that is renewed while it is open; `user` may see the job, or may not."""
    job = _job_of(item)
    return {
        "item": item,
        "kept": kept(item, job),
        "job": job if job and Job.objects.visible_to(user).filter(pk=job.pk).exists() else None,
        "older": _older(item),
        "newest": newest_of([item], now)[item.pk],
    }


def connections(item: AnalyticsItem) -> dict[str, Any]:
    """What the formula of `item` reads, and the items that read it; a formula that fails, and why."""
    shown: dict[str, Any] = {"read_by": definitions.direct_users(item)}
    try:
        shown["reads"] = _reads(item)
        definitions.define(item)
    except FormulaError as error:
        shown["item_fault"] = str(error)
    return shown


def consequences(item: AnalyticsItem) -> list[Consequence]:
    """What another formula of `item` has computed again: nothing where no results are kept."""
    return [_consequence(one) for one in mutations.affected(item)]


def hidden_actions(item: AnalyticsItem) -> set[str]:
    """The actions that make no sense for `item` as it is."""
    if removal.under_way(item):
        wholly = removal.takes_item(item)
        return {"aggregate", "resume", "stop_aggregating"} | ({"erase"} if wholly else set())
    if not item.aggregated:
        return {"resume"} | ({"stop_aggregating"} if item.source_id is None else set())
    stopped = kept(item, _job_of(item)).word == STOPPED
    return {"aggregate"} | (set() if stopped else {"resume"})


def with_newest(items: Sequence[AnalyticsItem], now: datetime) -> list[AnalyticsItem]:
    """The items, each with its `newest` value and its `job`; the queries do not grow with their number."""
    rows = list(items)
    newest = newest_of(rows, now)
    jobs = _jobs_of(rows)
    for item in rows:
        cast(Any, item).newest, cast(Any, item).job = newest[item.pk], jobs.get(item.pk)
    return rows


def lacking(user: User, query: Mapping[str, str]) -> dict[str, Any]:
    """The houses with devices that lack required items; only the one that a list is filtered by, if so."""
    houses = House.objects.visible_to(user).filter(pk__in=Device.objects.values("source__house"))
    asked = query.get("house__id__exact", "")
    if asked.isascii() and asked.isdigit():
        houses = houses.filter(pk=asked[:18])
    own = Count("analytics_items", filter=Q(analytics_items__name__in=required.NAMES))
    lacking = houses.annotate(own=own).filter(own__lt=len(required.NAMES)).order_by("name")
    return {
        "lacking": _lacks(list(lacking[:MOST_HOUSES])),
        "lacking_more": max(0, lacking.count() - MOST_HOUSES),
    }


def lacks(house: House) -> Lack | None:
    """What `house` lacks of the required items; None where nothing is lacking, or it has no devices yet."""
    (lack,) = _lacks([house])
    return lack if lack.count and Device.objects.filter(source__house=house).exists() else None


def _lacks(houses: Sequence[House]) -> list[Lack]:
    """What each house lacks; where that is all, the names are left out."""
    missing = required.missing(houses)
    whole = len(required.NAMES)
    return [
        Lack(house, len(names), names if len(names) < whole else [])
        for house, names in zip(houses, missing, strict=True)
    ]


def _job_of(item: AnalyticsItem) -> Job | None:
    return _jobs_of([item]).get(item.pk)


def _jobs_of(items: Sequence[AnalyticsItem]) -> dict[int, Job]:
    """The jobs that compute the days of the items, or remove them where they are no longer kept."""
    wanted = {
        (item.pk, keeping.KIND if item.aggregated else removal.KIND) for item in items if item.source_id
    }
    found = Job.objects.unfinished().filter(
        kind__in=[keeping.KIND, removal.KIND], args__item__in=[pk for pk, _ in wanted], cancel_requested=False
    )
    return {job.args["item"]: job for job in found if (job.args["item"], job.kind) in wanted}


def _older(item: AnalyticsItem) -> int:
    """The days whose results are of an earlier version and stay so, as their readings are sealed."""
    older = ItemDay.objects.filter(source=item.source_id, due=False).exclude(version=item.version)
    return older.count() if item.source_id else 0


def _reads(item: AnalyticsItem) -> list[Connection]:
    """What the text of the formula names. Raises FormulaError for a formula that cannot be read."""
    named = references(parse(item.formula))
    series = series_of(item.house, named.series)
    known = dict(AnalyticsItem.objects.filter(house=item.house).values_list("name", "pk"))
    items = [(f"analytics.{one.name}", known.get(one.name)) for one in named.items]
    events = reverse("admin:devices_event_changelist")
    return [
        *(Connection(written(one), _page("readings_series", series.get(one))) for one in named.series),
        *(Connection(name, _page("analytics_analyticsitem", pk)) for name, pk in items),
        *(Connection(written(one), events) for one in named.events),
    ]


def _page(model: str, thing: Series | int | None) -> str:
    """Where the page of a thing is; nowhere for one that is gone."""
    pk = thing.pk if isinstance(thing, Series) else thing
    return "" if pk is None else reverse(f"admin:{model}_change", args=[pk])


def _consequence(item: AnalyticsItem) -> Consequence:
    count, first, last = keeping.days_to_compute(item)
    return Consequence(item, count, _date(first), _date(last))


def _date(day: int | None) -> str:
    return "" if day is None else f"{datetime.fromtimestamp(day * DAY // 1000, UTC):%Y-%m-%d}"
