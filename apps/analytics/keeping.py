"""Continuous aggregation: an item's results as a source of their own, and the job that fills it.

The job computes the days that are due, the newest first, each in a transaction of its own; stopped or killed,
it leaves whole days, and goes on with the rest when it is started again. What late readings touch is computed
by the sweep, through the dependencies that are written here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from django.db import transaction

from apps.accounts.models import User
from apps.analytics import definitions
from apps.analytics.definitions import Definition
from apps.analytics.formula import Evaluation, FormulaError, Inputs
from apps.analytics.inputs import Loader
from apps.analytics.models import AnalyticsItem, ItemDay
from apps.jobs import run as jobs
from apps.jobs.models import Job
from apps.jobs.run import JobError, Running
from apps.readings import locks, series, store
from apps.readings.bins import LENGTH
from apps.readings.codec import CorruptPayload
from apps.readings.dependencies import depend
from apps.readings.models import Namespace, Series, Source
from apps.readings.names import VALUE
from apps.readings.samples import DAY, Samples
from apps.readings.sql import fetch, run

KIND = "analytics.populate"

# Wherever an input has data within reach, though neither before the first nor after the last of all, and
# where the item has some already. As everywhere, a day that reads sealed readings keeps its values: they
# cannot be computed again.
_DAYS = """
WITH reads AS (
    SELECT input_id, before, after FROM readings_dependency WHERE source_id = %(source)s::bigint
), held AS (
    SELECT segment.day, before, after FROM reads
    JOIN readings_segment AS segment ON segment.source_id = reads.input_id
    UNION
    SELECT tail.day, before, after FROM reads JOIN readings_tail AS tail ON tail.source_id = reads.input_id
)
SELECT possible.day FROM (
    SELECT day FROM readings_segment WHERE source_id = %(source)s::bigint
    UNION
    SELECT within.day FROM held CROSS JOIN LATERAL generate_series(
        greatest(held.day - after, (SELECT min(day) FROM held)),
        least(held.day + before, (SELECT max(day) FROM held))
    ) AS within (day)
) AS possible
WHERE NOT EXISTS (
    SELECT FROM reads JOIN readings_source AS input ON input.id = reads.input_id
    WHERE (possible.day - reads.before)::bigint * %(length)s < input.sealed_before
)
"""

_DUE = f"""
INSERT INTO analytics_itemday (source_id, day, version, due)
SELECT %(source)s::bigint, day, 0, true FROM ({_DAYS}) AS days ORDER BY day
ON CONFLICT (source_id, day) DO UPDATE SET due = true
"""  # noqa: S608  no part of it comes from outside

_SPAN = f"SELECT count(*), min(day), max(day) FROM ({_DAYS}) AS days"  # noqa: S608

# A day that holds nothing, such as that after the last, is known only where it was expected to hold some.
_EMPTY = """
UPDATE analytics_itemday SET version = %(version)s::int, due = false
WHERE source_id = %(source)s::bigint AND day = %(day)s::int
"""

_COMPUTED = """
INSERT INTO analytics_itemday (source_id, day, version, due)
VALUES (%(source)s::bigint, %(day)s::int, %(version)s::int, false)
ON CONFLICT (source_id, day) DO UPDATE SET version = excluded.version, due = false
"""


def begin(item: AnalyticsItem, definition: Definition) -> None:
    """Have the results of `item` kept as they are now defined: all its days are due again.

    In the transaction of the change; saves the item's source. Call `populate` next.
    """
    source = item.source or Source(house=item.house, namespace=Namespace.ANALYTICS, name=item.name)
    source.label, source.enabled = item.label, True
    source.full_clean()
    source.save()
    item.source = source
    describe(item, definition)
    # Whoever compacts an input now ends first, and whoever comes later sees whom to tell of it.
    for number in sorted(definition.inputs):
        locks.hold(number)
    depend(source_id=source.pk, inputs=definition.inputs)
    _stop(item, None)
    run(_DUE, {"source": source.pk, "length": DAY})


def describe(item: AnalyticsItem, definition: Definition) -> None:
    """Let the kept series say what `item` says of its results."""
    assert item.source is not None  # noqa: S101
    series.redeclare(source=item.source, fields=definition.stored_as(item))


def end(item: AnalyticsItem, by: User | None) -> None:
    """Let nothing change the kept results of `item` any more."""
    assert item.source is not None  # noqa: S101
    depend(source_id=item.source.pk, inputs={})
    Source.objects.filter(pk=item.source.pk).update(enabled=False)
    _stop(item, by)


def populate(item: AnalyticsItem, by: User | None) -> Job | None:
    """The job that computes the due days of `item`: the one under way, or else one that starts now."""
    if under_way := job_of(item):
        return under_way
    if not ItemDay.objects.filter(source=item.source_id, due=True).exists():
        return None
    return jobs.start(kind=KIND, subject=f"analytics.{item.name} of {item.house}", by=by, item=item.pk)


def job_of(item: AnalyticsItem) -> Job | None:
    """The job that computes the days of `item`, unless it was asked to stop."""
    mine = Job.objects.unfinished().filter(kind=KIND, args__item=item.pk, cancel_requested=False)
    return mine.order_by("-pk").first()


def run_job(running: Running, *, item: int) -> None:
    """Compute the due days of an item, the newest first, until none is left or it is stopped.

    Days whose readings are damaged are passed over, and told in the end.
    """
    source = AnalyticsItem.objects.filter(pk=item, aggregated=True).values_list("source", flat=True).first()
    if source is None:
        return
    due = ItemDay.objects.filter(source=source, due=True).order_by("-day").values_list("day", flat=True)
    total, done = due.count(), 0
    damaged: dict[int, str] = {}
    while (day := due.exclude(day__in=damaged).first()) is not None:
        running.progress(done, max(total, done + 1), f"Computing {_date(day)}")
        try:
            compute(source, day)
        except FormulaError as error:
            raise JobError(f"{_date(day)} could not be computed: {error}") from None
        except CorruptPayload as error:
            damaged[day] = str(error)
        else:
            done += 1
    running.progress(done, max(total, done), "")
    if damaged:
        raise JobError(f"Readings of {len(damaged)} days are damaged. {damaged[max(damaged)]}")


@transaction.atomic
def compute(source_id: int, day: int) -> None:
    """Make an item's source hold its result of a UTC day, as defined now; unchanged days write nothing.

    Does nothing for a source whose results are not kept any more. Raises FormulaError where the day cannot be
    evaluated, such as for too many points.
    """
    locks.hold(source_id)
    item = AnalyticsItem.objects.select_related("house").filter(source=source_id, aggregated=True).first()
    if item is None:
        return
    fields = dict(Series.objects.filter(source=source_id).values_list("field", "pk"))
    results = _results(item, day)
    store.replace_day(
        source_id=source_id, day=day, samples={fields[name]: samples for name, samples in results.items()}
    )
    some = any(len(samples) for samples in results.values())
    run(_COMPUTED if some else _EMPTY, {"source": source_id, "day": day, "version": item.version})


def _results(item: AnalyticsItem, day: int) -> dict[str, Samples]:
    """The fields of an item's source on a UTC day; nothing where its formula names what is gone."""
    try:
        bound = definitions.define(item).bound
    except FormulaError:
        return {}
    start, end = day * DAY, (day + 1) * DAY
    kept = Evaluation(bound.node, _within(Loader(bound).load(start, end))).kept(start, end)
    results = {VALUE: Samples(kept.points.stamps, kept.points.values)}
    if kept.lengths is not None:
        results[LENGTH] = Samples(kept.points.stamps, kept.lengths)
    return results


def _within(inputs: Inputs) -> Inputs:
    """Without the knowledge that there are newer readings somewhere after the days that are depended on.

    What is kept of a day must not depend on when it was computed, and readings far after it compute nothing.
    """
    return Inputs({field: replace(signal, newest=None) for field, signal in inputs.signals.items()})


def days_to_compute(item: AnalyticsItem) -> tuple[int, int | None, int | None]:
    """How many days a change of the formula of a kept `item` has computed again, the first and the last."""
    count, first, last = fetch(_SPAN, {"source": item.source_id, "length": DAY})[0]
    return count, first, last


def _stop(item: AnalyticsItem, by: User | None) -> None:
    for job in Job.objects.unfinished().filter(kind=KIND, args__item=item.pk, cancel_requested=False):
        jobs.cancel(job=job, by=by)


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY // 1000, UTC):%Y-%m-%d}"
