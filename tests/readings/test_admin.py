"""Sources and series in the admin: who sees which, and that only an unknown unit can be set."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.houses.models import House
from apps.readings import store
from apps.readings.models import Invalidation, Kind, Series, Source
from apps.readings.series import FieldSpec, declare
from tests.people import AsUser, person
from tests.readings.building import DAY, T0, put

SOURCES = reverse("admin:readings_source_changelist")
SERIES = reverse("admin:readings_series_changelist")


@pytest.fixture
def series(source: Source) -> Series:
    put(source, "A.Solar", {T0: 1.0})
    return Series.objects.get()


def page(of: Source | Series) -> str:
    return reverse(f"admin:readings_{of._meta.model_name}_change", args=[of.pk])


@pytest.mark.parametrize("url", [SOURCES, SERIES])
def test_operators_see_what_belongs_to_their_houses(
    url: str, as_user: AsUser, alice: User, admin: User, series: Series, house_b: House
) -> None:
    declare(source=Source.objects.create(house=house_b, name="elsewhere"), fields=[FieldSpec("hidden")])
    own = as_user(alice).get(url).content.decode()
    assert "device1" in own
    assert "elsewhere" not in own
    assert "elsewhere" in as_user(admin).get(url).content.decode()


def test_pages_of_other_houses_do_not_exist(as_user: AsUser, alice: User, house_b: House) -> None:
    other = Source.objects.create(house=house_b, name="elsewhere")
    declare(source=other, fields=[FieldSpec("hidden")])
    for hidden in (other, Series.objects.get()):
        assert as_user(alice).get(page(hidden)).status_code == 404


def test_homeowners_and_analysts_have_no_admin(as_user: AsUser, bob: User, ann: User, source: Source) -> None:
    for someone in (bob, ann):
        assert as_user(someone).get(SOURCES).status_code in {302, 403}
        assert as_user(someone).get(page(source)).status_code in {302, 403}


def test_the_newest_reading_is_shown(as_user: AsUser, alice: User, series: Series) -> None:
    assert "2026-03-10 00:00:00 UTC" in as_user(alice).get(page(series.source)).content.decode()
    assert "2026-03-10 00:00:00 UTC" in as_user(alice).get(SOURCES).content.decode()


def test_lists_go_by_house(as_user: AsUser, admin: User, source: Source, house_b: House) -> None:
    Source.objects.create(house=house_b, name="aardvark")
    text = as_user(admin).get(SOURCES).content.decode()
    assert text.index("device1") < text.index("aardvark")


def test_the_list_of_series_keeps_kinds_and_cadences_short(
    as_user: AsUser, alice: User, source: Source
) -> None:
    declare(source=source, fields=[FieldSpec("power", unit="kW", kind=Kind.INTERVAL, cadence=5.0)])
    text = as_user(alice).get(SERIES).content.decode()
    assert ">interval<" in text.replace("\n", "").replace(" ", "")
    assert ">5s<" in text.replace("\n", "").replace(" ", "")


def test_a_source_without_readings_has_pages_too(as_user: AsUser, alice: User, source: Source) -> None:
    assert as_user(alice).get(SOURCES).status_code == 200
    assert as_user(alice).get(page(source)).status_code == 200


def test_nothing_is_added_changed_or_deleted(as_user: AsUser, admin: User, source: Source) -> None:
    declare(source=source, fields=[FieldSpec("P", unit="W")])
    for known in (source, Series.objects.get()):
        kind = known._meta.model_name
        assert as_user(admin).get(reverse(f"admin:readings_{kind}_add")).status_code == 403
        assert (
            as_user(admin).post(reverse(f"admin:readings_{kind}_delete", args=[known.pk])).status_code == 403
        )
    assert as_user(admin).post(page(Series.objects.get()), {"field": "x", "unit": "kW"}).status_code == 403


def test_an_unknown_unit_is_set_once(as_user: AsUser, alice: User, series: Series) -> None:
    answer = {"unit": "kWh", "kind": Kind.COUNTER, "field": "other"}
    assert as_user(alice).post(page(series), answer).status_code == 302
    series.refresh_from_db()
    assert (series.unit, series.kind, series.field) == ("kWh", Kind.COUNTER, "A.Solar")
    as_user(alice).post(page(series), {"unit": "W", "kind": "gauge"})
    series.refresh_from_db()
    assert (series.unit, series.kind) == ("kWh", Kind.COUNTER)


def test_of_a_series_that_is_known_and_no_counter_nothing_is_set(
    as_user: AsUser, alice: User, source: Source
) -> None:
    declare(source=source, fields=[FieldSpec("P", unit="kW")])
    assert as_user(alice).post(page(Series.objects.get()), {"unit": "W"}).status_code == 403


class TestCounters:
    @pytest.fixture
    def meter(self, source: Source) -> Series:
        declare(source=source, fields=[FieldSpec("E", unit="kWh", kind=Kind.COUNTER)])
        put(source, "E", {T0: 1.0})
        store.compact(source.pk, DAY)
        Invalidation.objects.all().delete()
        return Series.objects.get()

    def test_an_operator_sets_its_rating_and_modulus(
        self, as_user: AsUser, alice: User, meter: Series
    ) -> None:
        as_user(alice).post(page(meter), {"rating": "11", "modulus": "6553.6"})
        meter.refresh_from_db()
        assert (meter.rating, meter.modulus) == (11, 6553.6)
        assert list(Invalidation.objects.values_list("day", flat=True)) == [DAY]
        assert meter.history.get().history_user == alice

    def test_saving_the_same_rolls_up_nothing(self, as_user: AsUser, alice: User, meter: Series) -> None:
        as_user(alice).post(page(meter), {"rating": "", "modulus": ""})
        assert not Invalidation.objects.exists()

    @pytest.mark.parametrize("bad", ["0", "-3", "nan", "many"])
    def test_a_rating_is_above_zero(self, as_user: AsUser, alice: User, meter: Series, bad: str) -> None:
        assert as_user(alice).post(page(meter), {"rating": bad, "modulus": ""}).status_code == 200
        meter.refresh_from_db()
        assert meter.rating is None

    def test_operators_of_other_houses_set_nothing(
        self, as_user: AsUser, meter: Series, house_b: House
    ) -> None:
        client = as_user(person("dora", Role.OPERATOR, house_b))
        assert client.get(page(meter)).status_code == 404
        client.post(page(meter), {"rating": "11"})
        meter.refresh_from_db()
        assert meter.rating is None

    def test_others_have_neither(self, as_user: AsUser, alice: User, source: Source) -> None:
        declare(source=source, fields=[FieldSpec("P", unit="kW")])
        assert "modulus" not in as_user(alice).get(page(Series.objects.get())).content.decode().lower()


def test_leaving_the_unit_unknown_changes_nothing(as_user: AsUser, alice: User, series: Series) -> None:
    as_user(alice).post(page(series), {"unit": "", "kind": Kind.COUNTER})
    series.refresh_from_db()
    assert series.kind == Kind.GAUGE


def test_lists_cost_the_same_however_long(
    as_user: AsUser, alice: User, source: Source, django_assert_max_num_queries: object
) -> None:
    for n in range(30):
        other = Source.objects.create(house=source.house, name=f"more{n}")
        put(other, "A", {T0: 1.0})
    client = as_user(alice)
    for url in (SOURCES, SERIES):
        with django_assert_max_num_queries(8):  # type: ignore[operator]
            client.get(url)
