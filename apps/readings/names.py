"""What series are called outside: `source.field`, and `analytics.item` for the value of an analytics item."""

from __future__ import annotations

from collections.abc import Collection

from apps.houses.models import House
from apps.readings.models import Namespace, Series, Source

ANALYTICS = "analytics"
VALUE = "value"  # the one field of an analytics item


class UnknownSeriesError(LookupError):
    """A name that no series of the house has."""

    def __init__(self, name: str) -> None:
        super().__init__(f"This house has no series “{name}”.")
        self.name = name


def full_name(source: Source, field: str) -> str:
    """The name of a field of `source`, as formulas and answers say it."""
    if source.namespace == Namespace.ANALYTICS and field == VALUE:
        return f"{ANALYTICS}.{source.name}"
    return f"{source.name}.{field}"


def find(house: House, names: Collection[str]) -> dict[str, Series]:
    """The series of `house` by their names, in the order of `names`; each name splits at its first dot.

    One query. Raises UnknownSeriesError for the first name that has none.
    """
    split = {name: _split(name) for name in names}
    found = Series.objects.filter(
        source__house=house,
        source__name__in={source for _, source, _ in split.values()},
        field__in={field for *_, field in split.values()},
    ).select_related("source")
    known = {(_is_item(one.source), one.source.name, one.field): one for one in found}
    if missing := [name for name, key in split.items() if key not in known]:
        raise UnknownSeriesError(missing[0])
    return {name: known[key] for name, key in split.items()}


def _split(name: str) -> tuple[bool, str, str]:
    """Whether it is an analytics item, the source's name, and the field's."""
    source, _, field = name.partition(".")
    return (True, field, VALUE) if source == ANALYTICS else (False, source, field)


def _is_item(source: Source) -> bool:
    return source.namespace == Namespace.ANALYTICS
