"""The store agrees with a dictionary, whatever is uploaded, corrected, withdrawn or compacted when."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Segment, Source, Tail
from tests.readings.building import DAY, NAN, NOW, T0, append, block, held, number, value_of

pytestmark = pytest.mark.django_db

FIELDS = "ABC"
STAMPS = [T0 + hour * 3_600_000 for hour in range(-6, 42, 2)]  # three UTC days
SPAN = T0 - store.DAY, T0 + 2 * store.DAY
LATER = NOW + timedelta(days=2)  # all of it is past then: no clock is ahead
names = count(1)

stamps = st.lists(st.sampled_from(STAMPS), min_size=1, max_size=8)
fields = st.sets(st.sampled_from(FIELDS), min_size=1).map(lambda chosen: " ".join(sorted(chosen)))
compactions = st.sampled_from([DAY - 1, DAY, DAY + 1])
values = st.sampled_from([0.0, 1.5, 2.5, NAN])
withdrawals = st.tuples(st.sampled_from(FIELDS), st.sampled_from(STAMPS), st.sampled_from(STAMPS))

with_database = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fresh(house: House) -> Source:
    return Source.objects.create(house=house, name=f"model{next(names)}")


def compact_all(source: Source) -> None:
    for day in (DAY - 1, DAY, DAY + 1):
        store.compact(source.pk, day)
    assert not Tail.objects.filter(source=source).exists()


@with_database
@given(st.lists(st.one_of(st.tuples(fields, stamps), compactions), max_size=12))
def test_order_splits_and_repeats_do_not_matter(
    house_a: House, steps: list[tuple[str, list[int]] | int]
) -> None:
    source = fresh(house_a)
    known: dict[str, dict[int, float]] = {field: {} for field in FIELDS}
    for step in steps:
        if isinstance(step, int):
            store.compact(source.pk, step)
            continue
        append(source, block(step[0], step[1], *[[value_of(f, t) for t in step[1]] for f in step[0].split()]))
        for field in step[0].split():
            known[field] |= {stamp: value_of(field, stamp) for stamp in step[1]}
    assert {field: held(source, field, *SPAN) for field in FIELDS} == known
    compact_all(source)
    assert {field: held(source, field, *SPAN) for field in FIELDS} == known


uploads = st.lists(st.tuples(st.sampled_from(STAMPS), values), min_size=1, max_size=6)
steps = st.one_of(
    st.tuples(st.just("upload"), st.sampled_from(FIELDS), st.lists(uploads, min_size=1, max_size=3)),
    st.tuples(st.just("compact"), compactions),
    st.tuples(st.just("withdraw"), withdrawals),
)


@with_database
@given(st.lists(steps, max_size=14))
def test_the_last_contradiction_wins_and_latest_agrees(
    house_a: House, steps: list[tuple[object, ...]]
) -> None:
    """Uploads of several blocks, with duplicates inside; compactions and withdrawals between them."""
    source = fresh(house_a)
    known: dict[str, dict[int, float]] = {field: {} for field in FIELDS}
    for step in steps:
        match step:
            case ("upload", str(field), list(blocks)):
                append(
                    source, *[block(field, [t for t, _ in b], [v for _, v in b]) for b in blocks], at=LATER
                )
                known[field] |= {t: v for b in blocks for t, v in b if v == v}
            case ("compact", int(day)):
                store.compact(source.pk, day)
            case ("withdraw", (str(field), int(start), int(end))):
                ids = [number(source, field)]
                store.withdraw(source_id=source.pk, series_ids=ids, start=start, end=end, at=LATER)
                known[field] = {t: v for t, v in known[field].items() if not start <= t < end}
    for field in FIELDS:
        assert held(source, field, *SPAN) == known[field]
    newest = {field: (max(own), own[max(own)]) for field, own in known.items() if own}
    assert store.latest([source.pk])[source.pk] == newest
    compact_all(source)
    for field in FIELDS:
        assert held(source, field, *SPAN) == known[field]


def test_segments_say_how_much_they_hold(source: Source) -> None:
    append(source, block("A", STAMPS, [1.0] * len(STAMPS)))
    compact_all(source)
    counts = Segment.objects.filter(source=source).values_list("count", flat=True)
    assert sum(counts) == len(STAMPS)
