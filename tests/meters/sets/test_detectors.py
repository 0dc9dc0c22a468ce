"""Meters that contradict each other become alerts, and stop being ones when they are put right."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.alerts.evaluation import evaluate
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, State
from apps.alerts.words import describe
from apps.houses.models import House
from apps.meters.models import Meter, MeterSet
from apps.meters.sets.mutations import Spec, declare_set
from apps.readings.samples import DAY
from tests.meters.sets.conftest import DAY0, NOW, make_meter, put, quarters, run, specs

pytestmark = pytest.mark.django_db

NOON = datetime.fromtimestamp((DAY0 + 1) * DAY / 1000 + 43_200, UTC)


def alerts(kind: Kind) -> list[Alert]:
    evaluate(now=NOON)
    return list(Alert.objects.filter(kind=kind).exclude(state=State.CLEARED))


def test_a_reversed_meter_is_told_with_what_to_do(two: MeterSet, solar: Meter, load: Meter) -> None:
    put(load.source, quarters(0, 60), power=100.0)
    put(solar.source, quarters(0, 60), power=-80.0)
    run()
    (alert,) = alerts(Kind.NEGATIVE)
    assert alert.source == two.derived.source  # type: ignore[union-attr]
    words = describe(Kind.NEGATIVE, "Utility meter (derived)", alert.evidence)
    assert "the solar was below zero in 60 intervals" in words
    assert "Is roof wired the other way round?" in words
    declare_set(house=two.house, topology="no_utility", members=specs(solar, load, polarity=-1), now=NOW)
    run()
    assert not alerts(Kind.NEGATIVE)


def test_of_a_derived_load_every_meter_it_is_made_of_is_a_suspect(house_a: House, solar: Meter) -> None:
    utility = make_meter(house_a, "grid", "power")
    members = [Spec(solar.source, "solar"), Spec(utility.source, "utility")]
    declare_set(house=house_a, topology="no_load", members=members, now=NOW)
    put(solar.source, quarters(0, 60), power=80.0)
    put(utility.source, quarters(0, 60), power=-90.0)
    run()
    (alert,) = alerts(Kind.NEGATIVE)
    assert alert.evidence == {"role": "load", "count": 60, "meters": ["grid", "roof"]}


def test_a_few_intervals_around_zero_are_no_alert(two: MeterSet, solar: Meter, load: Meter) -> None:
    put(load.source, quarters(0, 60), power=100.0)
    put(solar.source, quarters(0, 7), power=-80.0)
    put(solar.source, quarters(7, 50), power=80.0)
    run()
    assert not alerts(Kind.NEGATIVE)


def three(house: House, solar: Meter, load: Meter, utility_kw: float, **settings: float) -> None:
    utility = make_meter(house, "grid", "power")
    members = [*specs(solar, load), Spec(utility.source, "utility")]
    declare_set(house=house, topology="all", members=members, now=NOW, **settings)  # type: ignore[arg-type]
    put(load.source, quarters(0, 120), power=100.0)
    put(solar.source, quarters(0, 120), power=80.0)
    put(utility.source, quarters(0, 120), power=utility_kw)
    run()


def test_a_balance_that_leaves_too_much_over_is_told_of_the_day_that_is_over(
    house_a: House, solar: Meter, load: Meter
) -> None:
    three(house_a, solar, load, 26.0)
    (alert,) = alerts(Kind.RESIDUAL)
    assert alert.evidence == {"percent": 6.0, "tolerated": 5.0}


def test_within_what_the_set_tolerates_it_is_fine(house_a: House, solar: Meter, load: Meter) -> None:
    three(house_a, solar, load, 26.0, residual_percent=7.0)
    assert not alerts(Kind.RESIDUAL)


def test_no_house_that_is_disabled(house_a: House, solar: Meter, load: Meter) -> None:
    three(house_a, solar, load, 26.0)
    House.objects.update(enabled=False)
    assert not alerts(Kind.RESIDUAL)


def test_four_statements_whatever_the_number_of_sets(
    house_a: House, solar: Meter, load: Meter, django_assert_num_queries: object
) -> None:
    from apps.meters.sets import detectors

    three(house_a, solar, load, 26.0)
    with django_assert_num_queries(4):  # type: ignore[operator]
        list(detectors.look(NOON))
