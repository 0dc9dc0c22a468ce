"""Writers, compactors and readers at once, on real connections."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from apps.houses.models import House
from apps.readings import days, recompute, store
from apps.readings.dependencies import Reach, depend
from apps.readings.models import Invalidation, Rollup, Source, Tail
from tests.readings.building import DAY, NOW, T0, append, block, held, number, put, samples, truth, value_of
from tests.readings.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

UPLOADS = 80


@pytest.fixture
def sources(house_a: House) -> list[Source]:
    return [Source.objects.create(house=house_a, name=name) for name in ("one", "two")]


class Uploads:
    """Uploads from several threads, and which stamps have been acknowledged so far."""

    def __init__(self, sources: list[Source]) -> None:
        self.sources = sources
        self.acknowledged: list[int] = []
        self.writers = 0
        self.lock = threading.Lock()

    @property
    def running(self) -> bool:
        return self.writers > 0

    def write(self, writer: int) -> None:
        """Every writer has own stamps of two days, sends them in no order of time, and repeats some."""
        stamps = [T0 - 40_000 + 1000 * (writer + 3 * n * 37 % 241) for n in range(UPLOADS)]
        try:
            for n, stamp in enumerate(stamps):
                self._send([stamp, stamps[n // 2]])
                self.acknowledged.append(stamp)
        finally:
            with self.lock:
                self.writers -= 1

    def _send(self, stamps: list[int]) -> None:
        rows = [[value_of(field, stamp) for stamp in stamps] for field in "AB"]
        uploads = [store.Upload(source.pk, (block("A B", stamps, *rows),)) for source in self.sources]
        store.append(uploads, received_at=NOW)

    def compact(self) -> None:
        for source, day in itertools.cycle(itertools.product(self.sources, (DAY - 1, DAY))):
            store.compact(source.pk, day)
            if not self.running:
                return

    def read(self, numbers: dict[str, int]) -> None:
        while self.running:
            known = list(self.acknowledged)
            found = store.read(numbers.values(), start=T0 - store.DAY, end=T0 + store.DAY)
            for field, key in numbers.items():
                missing = set(known) - set(found[key].stamps.tolist())
                assert not missing, f"{field} lacks {missing}"

    def run(self, writers: int, *others: Callable[[], None]) -> None:
        self.writers = writers
        at_once(*[partial(self.write, writer) for writer in range(writers)], *others)


def test_no_acknowledged_reading_is_ever_missing(sources: list[Source]) -> None:
    numbers = {field: number(sources[0], field) for field in "AB"}
    uploads = Uploads(sources)
    uploads.run(3, uploads.compact, uploads.compact, partial(uploads.read, numbers))
    span = T0 - store.DAY, T0 + store.DAY
    for _ in range(2):
        for source, field in itertools.product(sources, "AB"):
            assert held(source, field, *span) == truth(field, uploads.acknowledged)
        for source, day in itertools.product(sources, (DAY - 1, DAY)):
            store.compact(source.pk, day)
    assert not Tail.objects.exists()


def test_uploads_of_the_same_sources_in_opposite_order_do_not_deadlock(sources: list[Source]) -> None:
    def send(order: int) -> None:
        for n in range(60):
            uploads = [store.Upload(source.pk, (block("A", [T0 + n], [n]),)) for source in sources]
            store.append(uploads[::order], received_at=NOW)

    at_once(*[partial(send, order) for order in (1, -1, 1, -1)])
    assert Tail.objects.count() == 480
    assert all(entry == {"A": (T0 + 59, 59.0)} for entry in store.latest([s.pk for s in sources]).values())


def test_of_contradictions_at_once_one_wins_and_stays(sources: list[Source]) -> None:
    source = sources[0]

    def send(value: float) -> None:
        for n in range(30):
            append(source, block("A", [T0 + n], [value]))

    at_once(
        partial(send, 1.0), partial(send, 2.0), lambda: [store.compact(source.pk, DAY) for _ in range(30)]
    )
    before = held(source, "A")
    assert len(before) == 30
    assert set(before.values()) <= {1.0, 2.0}
    store.compact(source.pk, DAY)
    assert held(source, "A") == before


def test_what_arrives_during_a_compaction_stays_in_the_tail(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, drop_tail = sources[0], days.drop_tail

    def late_upload(stored: days.StoredDay) -> None:
        at_once(lambda: append(source, block("A", [T0 + 1], [2])))
        drop_tail(stored)

    append(source, block("A", [T0], [1]))
    monkeypatch.setattr(days, "drop_tail", late_upload)
    store.compact(source.pk, DAY)
    assert Tail.objects.count() == 1
    assert held(source, "A") == {T0: 1.0, T0 + 1: 2.0}


def test_a_slow_compactor_never_overwrites_what_a_later_one_wrote(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, load = sources[0], days.load
    loaded, resume = threading.Event(), threading.Event()

    def slow_load(source_id: int, day: int) -> days.StoredDay:
        stored = load(source_id, day)
        if not loaded.is_set():
            loaded.set()
            resume.wait(20)
        return stored

    def compact_later() -> None:
        loaded.wait(20)
        append(source, block("A", [T0 + 1], [2]))
        store.compact(source.pk, DAY)
        resume.set()

    append(source, block("A", [T0], [1]))
    monkeypatch.setattr(days, "load", slow_load)
    at_once(lambda: store.compact(source.pk, DAY), compact_later)
    assert held(source, "A") == {T0: 1.0, T0 + 1: 2.0}


def test_a_replaced_day_waits_for_the_compactor(sources: list[Source]) -> None:
    source = sources[0]
    key = number(source, "A")
    contents = {key: samples(truth("A", range(T0, T0 + 50)))}

    def replace() -> None:
        for _ in range(20):
            store.replace_day(source_id=source.pk, day=DAY, samples=contents)

    at_once(replace, replace, lambda: [store.compact(source.pk, DAY) for _ in range(40)])
    assert held(source, "A") == truth("A", range(T0, T0 + 50))


def test_an_upload_during_a_withdrawal_is_the_newest_value_or_is_withdrawn(sources: list[Source]) -> None:
    source = sources[0]
    put(source, "A", {T0 - 1: 0.5})
    series = number(source, "A")

    def withdraw(start: int) -> None:
        store.withdraw(source_id=source.pk, series_ids=[series], start=start, end=start + 3, at=NOW)

    for stamp in range(T0, T0 + 80, 2):
        put(source, "A", {stamp: 1.0})
        at_once(
            partial(put, source, "A", {stamp + 1: 2.0}),
            partial(withdraw, stamp),
            partial(store.compact, source.pk, DAY),
        )
        newest = store.latest([source.pk])[source.pk]["A"]
        assert newest == max(held(source, "A", T0 - store.DAY, T0 + store.DAY).items())


def test_workers_at_once_with_writers_leave_what_one_alone_would(sources: list[Source]) -> None:
    derived = Source.objects.create(house=sources[0].house, name="sum", namespace="analytics")
    depend(source_id=derived.pk, inputs={source.pk: Reach(0, 0) for source in sources})
    value = number(derived, "value")

    def compute(source_id: int, day: int) -> None:
        total = sum(sum(held(one, "A", day * store.DAY, (day + 1) * store.DAY).values()) for one in sources)
        content = {value: samples({day * store.DAY: total})}
        store.replace_day(source_id=source_id, day=day, samples=content)

    uploads = Uploads(sources)

    def work() -> None:
        while uploads.running:
            store.sweep(now=NOW + timedelta(days=9), seconds=9)

    known = recompute._functions.pop("analytics", None)
    recompute.register("analytics", compute)
    try:
        uploads.run(2, work, work)
        for _ in range(9):
            store.sweep(now=NOW + timedelta(days=9), seconds=9)
    finally:
        recompute._functions.pop("analytics")
        if known:
            recompute._functions["analytics"] = known
    assert not Tail.objects.exists()
    assert not Invalidation.objects.exists()
    total = sum(truth("A", uploads.acknowledged).values())
    for source, field, sums in [*((one, "A", total) for one in sources), (derived, "value", 2 * total)]:
        rows = Rollup.objects.filter(source=source, series__field=field)
        assert sum(row.sum or 0 for row in rows) == pytest.approx(sums)
