"""Damaged days: what cannot be worked on waits and is told; everything else goes on."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from apps.houses.models import House
from apps.readings import damage, marks, rolling, store
from apps.readings.models import Clock, Damage, Invalidation, Rollup, Segment, Source, Tail
from tests.readings.building import DAY, NOW, T0, append, held, put
from tests.readings.conftest import MakeSource
from tests.readings.oracle import HOUR
from tests.readings.test_rolling import borders, make, rows, settle

pytestmark = pytest.mark.django_db

DAYS = 9
BAD = DAY + 4


def fill(source: Source) -> Source:
    """Nine days of each kind of series, one reading an hour."""
    stamps = T0 + np.arange(24 * DAYS) * HOUR + 1_000_000
    count = np.arange(float(stamps.size))
    append(
        source, store.Block(("P", "I", "S", "E"), stamps, np.array([count % 7, count % 5, count % 2, count]))
    )
    settle(source)
    return source


def spoilt(payload: bytes) -> bytes:
    return payload[:-1] + bytes([payload[-1] ^ 1])


def sweep() -> None:
    for _ in range(3):
        store.sweep(now=NOW + timedelta(days=30))


def waiting() -> list[int]:
    return sorted(Invalidation.objects.values_list("day", flat=True))


def roll_all_again(source: Source) -> None:
    Rollup.objects.filter(source=source).update(sum=-1, hour_sum=[-1.0])
    marks.zone_changed(source.pk)


class TestRollups:
    @pytest.mark.parametrize("what", ["values", "clock", "missing clock"])
    def test_all_days_but_those_that_read_a_damaged_one_go_on_and_it_follows_when_repaired(
        self, house_a: House, what: str
    ) -> None:
        source = fill(make(house_a, "Europe/Brussels"))
        whole = rows(source), borders(source)
        table = Segment if what == "values" else Clock
        [stored, *_] = own = list(table.objects.filter(source=source, day=BAD))
        if what == "missing clock":
            Clock.objects.filter(source=source, day=BAD).delete()
        else:
            table.objects.filter(pk=stored.pk).update(payload=spoilt(bytes(stored.payload)))
        roll_all_again(source)
        sweep()
        assert waiting() == [BAD - 1, BAD, BAD + 1]
        noted = Damage.objects.values_list("day", "step")
        assert sorted(noted) == [(day, "roll") for day in waiting()]
        assert all(
            error.startswith("2026-03-14 (UTC): ") for error in Damage.objects.values_list("error", flat=True)
        )
        same = {key for key, row in rows(source).items() if row == whole[0][key]}
        assert {day.isoformat() for _, day in whole[0].keys() - same} <= {
            "2026-03-12", "2026-03-13", "2026-03-14", "2026-03-15", "2026-03-16"
        }  # fmt: skip
        table.objects.filter(source=source, day=BAD).delete()
        table.objects.bulk_create(own)
        sweep()
        assert (waiting(), Damage.objects.count()) == ([], 0)
        assert (rows(source), borders(source)) == whole

    def test_what_comes_later_is_not_kept_waiting(self, house_a: House) -> None:
        source = fill(make(house_a, "Asia/Kathmandu"))
        Segment.objects.filter(source=source, day=DAY).update(payload=b"damaged")
        roll_all_again(source)
        sweep()
        assert waiting() == [DAY, DAY + 1]
        put(source, "P", {T0 + 8 * store.DAY + 7: 100.0})
        assert store.compact(source.pk, DAY + 8)
        assert rolling.roll(source.pk) == 1
        assert waiting() == [DAY, DAY + 1]


class TestCompaction:
    def test_a_damaged_upload_is_noted_until_it_is_gone(self, make_source: MakeSource) -> None:
        bad, good = make_source(), make_source()
        for source in (bad, good):
            put(source, "A", {T0 - 1: 1.0})
        Tail.objects.filter(source=bad).update(payload=b"damaged")
        for _ in range(2):
            store.sweep(now=NOW)
            [noted] = Damage.objects.all()
            assert (noted.source, noted.day, noted.step) == (bad, DAY - 1, damage.Step.COMPACT)
        Tail.objects.all().delete()
        store.sweep(now=NOW)
        assert not Damage.objects.exists()
        assert held(good, "A", T0 - 9, T0) == {T0 - 1: 1.0}

    def test_damage_goes_with_its_source(self, make_source: MakeSource) -> None:
        source = make_source()
        damage.note(source.pk, DAY, damage.Step.ROLL, store.CorruptPayload("bad"))
        source.delete()
        assert not Damage.objects.exists()
