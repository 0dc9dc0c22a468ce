"""What the formulas of items mean in their house, which items use which, and what of them can be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from apps.analytics.formula import (
    Events,
    Field,
    FormulaError,
    Measured,
    Node,
    Shape,
    event_identifier,
    expand,
    identifier,
    measured,
    parse,
    reach,
    references,
    shape,
)
from apps.analytics.formula.nodes import AVG, Call, children
from apps.analytics.inputs import Bound, series_of
from apps.analytics.models import AnalyticsItem
from apps.houses.models import House
from apps.readings import integration
from apps.readings.bins import LENGTH
from apps.readings.dependencies import Reach
from apps.readings.models import Kind, Namespace, Series, Source
from apps.readings.names import VALUE
from apps.readings.samples import DAY
from apps.readings.series import FieldSpec

MOST_DAYS = 31
"""How far an item may reach whose results are kept."""
MOST_NAMES = 5_000
"""Series that are looked through for one that was meant."""


@dataclass(frozen=True, eq=False)
class Definition:
    """What a formula means in its house; `bound` is the formula with its items written out."""

    bound: Bound
    shape: Shape

    @cached_property
    def measured(self) -> Measured:
        """Quantity and unit of the result, and warnings, which never keep from saving."""
        return measured(self.bound.node, self.bound.specs)

    @property
    def reads(self) -> list[str]:
        """The series and events that it reads, as formulas write them."""
        named = references(self.bound.node)
        return [*map(written, named.series), *map(written, named.events)]

    @property
    def refusal(self) -> str:
        """Why its results cannot be kept; empty where they can."""
        if references(self.bound.node).events:
            return "It reads events, so its results are worked out whenever they are asked for, and not kept."
        # Without what is known of its series, the reach is that of its averages and the least gap.
        averaged = reach(self.bound.node, {}).before - integration.LEAST_MAX_GAP_MS
        if averaged > MOST_DAYS * DAY:
            return f"It averages over more than {MOST_DAYS} days, so its results cannot be kept day by day."
        return "" if self.bound.series else "It is a number that never changes, so there is nothing to keep."

    @property
    def kind(self) -> Kind:
        """That of its results as a series."""
        gauges = all(spec.behaves == Kind.GAUGE for spec in self.bound.specs.values())
        return Kind.GAUGE if gauges and not averages(self.bound.node) else Kind.INTERVAL

    @cached_property
    def inputs(self) -> dict[int, Reach]:
        """The sources, by id, and the days around its own that a day of kept results depends on.

        What comes of a single series has its stamps: a gauge needs nothing around them, an interval, whose
        length may be the time since the reading before, the day before. So late readings touch few days.
        """
        around = self.bound.reach
        days = Reach(around.days_before, around.days_after)
        if len(self.bound.specs) == 1 and not averages(self.bound.node):
            (spec,) = self.bound.specs.values()
            single = {Kind.GAUGE: Reach(0, 0), Kind.INTERVAL: Reach(around.days_before, 0)}
            days = single.get(Kind(spec.behaves), days)
        return dict.fromkeys(self.bound.source_ids, days)

    def stored_as(self, item: AnalyticsItem) -> list[FieldSpec]:
        """The series that hold the results of `item`: their values and, of intervals, their lengths."""
        measure = self.measured.measure
        quantity, unit = item.quantity or measure.quantity, item.unit or measure.unit
        gap = min(spec.max_gap for spec in self.bound.specs.values())
        value = FieldSpec(VALUE, quantity, unit, self.kind, gap / 3000)  # the cadence that has this gap
        return [value] if self.kind == Kind.GAUGE else [value, FieldSpec(LENGTH)]


class Formulas(Mapping[str, Node]):
    """The formulas of a house's items by name, from their texts, each parsed when it is first asked for."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._nodes: dict[str, Node] = {}

    def __getitem__(self, name: str) -> Node:
        if name not in self._nodes:
            self._nodes[name] = parse(self._texts[name])
        return self._nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._texts  # without parsing it

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def formulas_of(house: House, *drafts: AnalyticsItem) -> Formulas:
    """Those of `house`, where `drafts`, saved or not, take the place of what is stored. One query."""
    stored = dict(AnalyticsItem.objects.filter(house=house).order_by("name").values_list("name", "formula"))
    return Formulas(stored | {draft.name: draft.formula for draft in drafts if draft.name})


def define(item: AnalyticsItem, *drafts: AnalyticsItem) -> Definition:
    """What the formula of `item`, saved or not, means; `drafts` take the place of what is saved of others.

    Raises FormulaError, with the column where it has one: syntax, names that nothing in the house bears, and
    items that go round in a circle. Three queries at most.
    """
    formulas = formulas_of(item.house, *drafts, item)
    node = formulas[item.name] if item.name else parse(item.formula)
    whole = expand(node, formulas)
    names = _Names(item.house, whole)
    names.check(node)
    for used in references(node).items:
        try:
            names.check(expand(formulas[used.name], formulas))
        except FormulaError as error:
            raise FormulaError(f"In analytics.{used.name}: {error.message}", used.column) from None
    return Definition(Bound(item.house, whole, names.series), _shape(node, whole))


def averages(node: Node) -> bool:
    """Whether a formula, with its items written out, averages anywhere."""
    return any(isinstance(one, Call) and one.function == AVG for one in _nodes(node))


def written(leaf: Field | Events) -> str:
    """A series or events as formulas write them."""
    if isinstance(leaf, Field):
        return identifier(leaf.source, leaf.field)
    return event_identifier(leaf.sources, leaf.types, leaf.path)


def direct_users(item: AnalyticsItem) -> list[AnalyticsItem]:
    """The items whose own formula names `item`, by name."""
    names = _users_of({item.name}, _graph(item.house))
    return list(AnalyticsItem.objects.filter(house=item.house, name__in=names).order_by("name"))


def users(item: AnalyticsItem) -> list[AnalyticsItem]:
    """The items whose formula reaches `item`, over however many others, by name."""
    graph = _graph(item.house)
    found: set[str] = set()
    fresh = {item.name}
    while fresh:
        fresh = _users_of(fresh, graph) - found
        found |= fresh
    others = AnalyticsItem.objects.filter(house=item.house, name__in=found - {item.name})
    return list(others.select_related("house").order_by("name"))


class _Names:
    """What the series and sources that a formula names stand for in a house."""

    def __init__(self, house: House, whole: Node) -> None:
        named = references(whole)
        self._house = house
        self.series = series_of(house, named.series)
        asked = {name for one in named.events for name in one.sources}
        known = Source.objects.filter(house=house, name__in=asked).exclude(namespace=Namespace.ANALYTICS)
        self._sources = set(known.values_list("name", flat=True)) if asked else set()

    def check(self, node: Node) -> None:
        """Raise FormulaError for the first name of `node` that nothing in the house bears."""
        named = references(node)
        for field in named.series:
            if field not in self.series:
                raise FormulaError(self._no_series(field), field.column)
        for events in named.events:
            for name in events.sources:
                if name not in self._sources:
                    raise FormulaError(f"This house has no source “{name}” to have events of.", events.column)

    def _no_series(self, field: Field) -> str:
        known = {one.lower(): one for one in _all_names(self._house)}
        close = get_close_matches(written(field).lower(), known, 1)
        hint = f" Did you mean {known[close[0]]}?" if close else ""
        return f"This house has no series “{written(field)}”.{hint}"


def _all_names(house: House) -> list[str]:
    found = Series.objects.filter(source__house=house).exclude(source__namespace=Namespace.ANALYTICS)
    return [identifier(*pair) for pair in found.values_list("source__name", "field")[:MOST_NAMES]]


def _shape(node: Node, whole: Node) -> Shape:
    """What the formula gives. A place in the text of another item is none in this one."""
    try:
        return shape(whole)
    except FormulaError as error:
        raise FormulaError(error.message, None if references(node).items else error.column) from None


def _nodes(node: Node) -> Iterator[Node]:
    """A formula's nodes, those of a part that items share once."""
    waiting, seen = [node], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting.extend(children(current))


def _graph(house: House) -> dict[str, set[str]]:
    """The items that each item of the house names; what cannot be read names none."""
    formulas = formulas_of(house)
    graph = {}
    for name in formulas:
        try:
            graph[name] = {one.name for one in references(formulas[name]).items}
        except FormulaError:
            graph[name] = set()
    return graph


def _users_of(names: set[str], graph: Mapping[str, set[str]]) -> set[str]:
    return {user for user, named in graph.items() if named & names}
