"""Names of series, split at the first dot, found in one house alone."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.houses.models import House
from apps.readings.models import Namespace, Series, Source
from apps.readings.names import UnknownSeriesError, find, full_name


def series(house: House, name: str, field: str, namespace: str = Namespace.DEVICE) -> Series:
    source, _ = Source.objects.get_or_create(house=house, name=name, namespace=namespace)
    return Series.objects.create(source=source, field=field)


@pytest.mark.parametrize("field", ["A.Solar", "P", "A.Grid Power", "_length", "Émeraude.ä", "x."])
def test_a_name_splits_at_its_first_dot(house_a, field):
    one = series(house_a, "egauge", field)
    assert full_name(one.source, field) == f"egauge.{field}"
    assert find(house_a, [f"egauge.{field}"]) == {f"egauge.{field}": one}


def test_an_item_is_the_value_of_its_source(house_a):
    item = series(house_a, "solar", "value", Namespace.ANALYTICS)
    device = series(house_a, "solar", "value")
    assert full_name(item.source, "value") == "analytics.solar"
    assert find(house_a, ["analytics.solar", "solar.value"]) == {
        "analytics.solar": item,
        "solar.value": device,
    }


@pytest.mark.parametrize("namespace", [Namespace.DEVICE, Namespace.METER, Namespace.PLANT])
def test_all_other_sources_share_one_name_space(house_a, namespace):
    one = series(house_a, "main", "P", namespace)
    assert find(house_a, ["main.P"]) == {"main.P": one}


@pytest.mark.parametrize(
    "name", ["", ".", "egauge", "egauge.", "egauge.p", "EGAUGE.P", "analytics.egauge", "other.P", ".P"]
)
def test_an_unknown_name_is_told(house_a, name):
    series(house_a, "egauge", "P")
    with pytest.raises(UnknownSeriesError, match="no series") as caught:
        find(house_a, ["egauge.P", name])
    assert caught.value.name == name


def test_another_house_s_series_are_unknown(house_a, house_b):
    series(house_b, "egauge", "P")
    with pytest.raises(UnknownSeriesError):
        find(house_a, ["egauge.P"])


def test_names_crossed_between_sources_are_unknown(house_a):
    series(house_a, "a", "x")
    series(house_a, "b", "y")
    with pytest.raises(UnknownSeriesError):
        find(house_a, ["a.y"])


def test_order_is_kept_and_one_query_suffices(
    house_a: House, django_assert_num_queries: DjangoAssertNumQueries
):
    wanted = [f"s.{series(house_a, 's', field).field}" for field in "dcab"]
    with django_assert_num_queries(1):
        assert list(find(house_a, wanted)) == wanted
