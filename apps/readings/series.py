"""Series: what a source's fields are called, what they mean, and which number each has in the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from threading import Lock

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Q

from apps.readings import marks
from apps.readings.models import Kind, Namespace, Series, Source
from apps.readings.sql import fetch

LAST_DAY = 2**31 - 1

_CACHE_SIZE = 200_000  # fields, of all sources
_cache: dict[tuple[int, str], int] = {}
_cache_lock = Lock()


_OWN, _OF_SOURCE = ([str(one.column) for one in model._meta.concrete_fields] for model in (Series, Source))
_NAMED = f"""
SELECT {", ".join(f"series.{name}" for name in _OWN)}, {", ".join(f"source.{name}" for name in _OF_SOURCE)}
FROM readings_source AS source JOIN readings_series AS series ON series.source_id = source.id
WHERE source.house_id = %(house)s::bigint AND source.namespace <> %(analytics)s::text
    AND source.name = ANY(%(sources)s::text[]) AND series.field = ANY(%(fields)s::text[])
"""  # noqa: S608  our own columns


class SeriesConflict(ValueError):  # noqa: N818  says what is wrong
    """A series would change its unit or kind, which its history forbids."""


@dataclass(frozen=True)
class FieldSpec:
    """What is declared of a field; an empty unit is an unknown one. `cadence` is in seconds.

    `rating` and `modulus` are a counter's, see `counters.Settings`.
    """

    name: str
    quantity: str = ""
    unit: str = ""
    kind: str = Kind.GAUGE
    cadence: float | None = None
    sign: str = ""
    rating: float | None = None
    modulus: float | None = None


def named(house_id: int, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], Series]:
    """Those of the series (source, field) that a house has, analytics items apart, with their sources.

    One prepared statement: for Django to put together the same takes longer than to find the series.
    """
    if not names:
        return {}
    sources, fields = (sorted(set(part)) for part in zip(*names, strict=True))
    asked = {"house": house_id, "analytics": Namespace.ANALYTICS, "sources": sources, "fields": fields}
    found = {}
    for row in fetch(_NAMED, asked):
        series = Series.from_db(DEFAULT_DB_ALIAS, _OWN, row[: len(_OWN)])
        series.source = Source.from_db(DEFAULT_DB_ALIAS, _OF_SOURCE, row[len(_OWN) :])
        found[series.source.name, series.field] = series
    return {name: found[name] for name in names if name in found}


@transaction.atomic
def declare(*, source: Source, fields: Iterable[FieldSpec]) -> None:
    """Create or complete the series of `fields`.

    Quantity, cadence and sign follow the declaration. Unit and kind are set while the unit is unknown and
    never change afterwards: SeriesConflict. A counter's rating and modulus are set where nothing is known of
    them, so that what operators set stays. Fields not mentioned stay as they are.
    """
    specs = {spec.name: spec for spec in fields}
    _create(source.pk, specs.values())
    for series in Series.objects.select_for_update().filter(source=source, field__in=specs):
        _complete(series, specs[series.field])


@transaction.atomic
def redeclare(*, source: Source, fields: Iterable[FieldSpec]) -> None:
    """Make the series of a derived source what `fields` say, unit and kind included.

    What is stored is taken for the new kind from then on, and rolled up again; the days themselves are for
    the caller to compute again. Fields not mentioned stay as they are.
    """
    specs = {spec.name: spec for spec in fields}
    _create(source.pk, specs.values())
    for series in Series.objects.select_for_update().filter(source=source, field__in=specs):
        spec = specs[series.field]
        behaviour = (series.kind, series.cadence)
        Series.objects.filter(pk=series.pk).update(
            quantity=spec.quantity, unit=spec.unit, kind=spec.kind, cadence=spec.cadence, sign=spec.sign
        )
        if behaviour != (spec.kind, spec.cadence):
            _roll_again(series)


@transaction.atomic
def set_unit(*, series: Series, unit: str, kind: str | None = None) -> None:
    """Say what a series nobody declared measures, once; another kind has its days rolled up again.

    SeriesConflict when its unit is known already.
    """
    changes = {"unit": unit} if kind is None else {"unit": unit, "kind": kind}
    before = Series.objects.select_for_update().get(pk=series.pk)
    if before.unit:
        raise SeriesConflict(f"The unit of {series} is known and cannot change.")
    Series.objects.filter(pk=series.pk).update(**changes)
    if kind not in {None, before.kind}:
        _roll_again(series)
    series.refresh_from_db()


def series_ids(source_id: int, fields: Collection[str]) -> dict[str, int]:
    """The number of each field's series; a field nobody declared becomes a gauge of unknown unit.

    Raises IntegrityError when the source does not exist.
    """
    known = {field: _cache.get((source_id, field)) for field in fields}
    unknown = [field for field, number in known.items() if number is None]
    found = _find_or_create(source_id, unknown) if unknown else {}
    return {field: number or found[field] for field, number in known.items()}


def forget(source_ids: Collection[int]) -> None:
    """Drop what this process remembers of sources that are gone."""
    with _cache_lock:
        for key in [key for key in _cache if key[0] in source_ids]:
            del _cache[key]


def _find_or_create(source_id: int, fields: Collection[str]) -> dict[str, int]:
    found = _find(source_id, fields)
    if missing := sorted(set(fields) - set(found)):
        _create(source_id, [FieldSpec(field) for field in missing])
        found |= _find(source_id, missing)
    # A number from a transaction that is rolled back later would send readings nowhere.
    transaction.on_commit(lambda: _remember(source_id, found))
    return found


def _find(source_id: int, fields: Collection[str]) -> dict[str, int]:
    wanted = Q(source_id=source_id, field__in=fields)
    return dict(Series.objects.filter(wanted).order_by().values_list("field", "id"))


def _create(source_id: int, specs: Iterable[FieldSpec]) -> None:
    """Sorted, so that two processes creating the same fields wait for each other in the same order."""
    rows = [
        Series(
            source_id=source_id,
            field=spec.name,
            quantity=spec.quantity,
            unit=spec.unit,
            kind=spec.kind,
            cadence=spec.cadence,
            sign=spec.sign,
            rating=spec.rating,
            modulus=spec.modulus,
        )
        for spec in sorted(specs, key=lambda spec: spec.name)
    ]
    Series.objects.bulk_create(rows, ignore_conflicts=True)


def _complete(series: Series, spec: FieldSpec) -> None:
    declared = {
        "quantity": spec.quantity,
        "unit": spec.unit,
        "kind": spec.kind,
        "cadence": spec.cadence,
        "sign": spec.sign,
    }
    changes = {name: value for name, value in declared.items() if getattr(series, name) != value}
    learnt = {"rating": spec.rating, "modulus": spec.modulus}
    fills = {name: value for name, value in learnt.items() if value and getattr(series, name) is None}
    if series.unit and changes.keys() & {"unit", "kind"}:
        raise SeriesConflict(
            f"{series} is a {series.kind} in {series.unit}; it cannot become a {spec.kind} in “{spec.unit}”."
        )
    if changes or fills:
        Series.objects.filter(pk=series.pk).update(**changes, **fills)
    if fills or changes.keys() & {"cadence", "kind"}:
        _roll_again(series)


def _roll_again(series: Series) -> None:
    marks.settings_changed(series.source_id)


def _remember(source_id: int, found: dict[str, int]) -> None:
    with _cache_lock:
        if len(_cache) + len(found) > _CACHE_SIZE:
            _cache.clear()
        _cache.update({(source_id, field): number for field, number in found.items()})
