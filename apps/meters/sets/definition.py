"""What is on record of a set, as the physics take it: recipe, rules and where readings are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.meters.physics.balance import Role, Target
from apps.meters.physics.derivation import COLUMNS, REGISTERS, Input, Recipe, Rule
from apps.meters.physics.grid import MINUTE_MS, Rhythm, step_of
from apps.meters.physics.power import PfConvention
from apps.meters.sets.models import MeterSet, SetMember, Topology
from apps.readings import quarantine
from apps.readings.counters import Decision, Settings
from apps.readings.models import Kind, Namespace, Series
from apps.readings.samples import EMPTY, Samples

USUAL_CADENCE_S = 900.0
FACTORS = {"kW": 1.0, "W": 1e-3, "MW": 1e3, "kWh": 1.0, "Wh": 1e-3, "MWh": 1e3}
"""Units of the powers and registers of devices, with the factor to kW or kWh."""


@dataclass(frozen=True)
class Column:
    """Where a column of a meter is: its series, whose values × `factor` are in the column's unit."""

    series: Series
    factor: float = 1.0

    def of(self, samples: Samples) -> Samples:
        """The series' samples as the column's."""
        return samples if self.factor == 1 else Samples(samples.stamps, samples.values * self.factor)


@dataclass(frozen=True)
class Part:
    """A member on record: its rule, and its columns by name."""

    member: SetMember
    rule: Rule
    rhythm: Rhythm
    columns: Mapping[str, Column]

    def input(self, samples: Mapping[int, Samples], decisions: Mapping[int, Mapping[int, Decision]]) -> Input:
        """The meter with its readings, by series."""
        found = {
            name: column.of(samples.get(column.series.pk, EMPTY)) for name, column in self.columns.items()
        }
        return Input(
            name=str(self.member),
            rule=self.rule,
            rhythm=self.rhythm,
            columns=found,
            registers={name: _settings(self.columns[name]) for name in REGISTERS if name in self.columns},
            decisions={
                name: decisions.get(self.columns[name].series.pk, {})
                for name in REGISTERS
                if name in self.columns
            },
        )


@dataclass(frozen=True)
class Definition:
    """What a set works out, of what, on which grid (`step` in ms); `lacking` are roles without a meter."""

    recipe: Recipe
    parts: Sequence[Part]
    step: int
    lacking: Sequence[Role] = ()

    @property
    def series(self) -> list[int]:
        """The series that it reads."""
        return sorted({column.series.pk for part in self.parts for column in part.columns.values()})

    @property
    def registers(self) -> list[int]:
        """Those of them that are registers."""
        return sorted(
            {
                part.columns[name].series.pk
                for part in self.parts
                for name in REGISTERS
                if name in part.columns
            }
        )

    @property
    def roles(self) -> set[Role]:
        """The roles that have a meter at any time."""
        return {part.rule.role for part in self.parts}

    def inputs(self, samples: Mapping[int, Samples], *, start: int, end: int) -> list[Input]:
        """The meters with their `samples`, by series, and what operators decided in [start, end) ms."""
        decisions = quarantine.decisions_of(self.registers, start=start, end=end)
        return [part.input(samples, decisions) for part in self.parts]


def target_of(topology: str, roles: Iterable[Role]) -> Target:
    """What a set of this topology works out: without solar, which of load and utility has no meter."""
    known = set(roles)
    match topology:
        case Topology.NO_UTILITY:
            return Target.UTILITY
        case Topology.NO_LOAD:
            return Target.LOAD
        case Topology.NO_SOLAR_METER:
            return Target.SOLAR
        case Topology.SUM:
            return Target.SUM
        case Topology.WITHOUT_SOLAR if not {Role.LOAD, Role.UTILITY} <= known:
            return Target.UTILITY if Role.LOAD in known else Target.LOAD
    return Target.RESIDUAL


REQUIRED: dict[str, tuple[Role, ...]] = {
    Topology.NO_UTILITY: (Role.SOLAR, Role.LOAD),
    Topology.NO_LOAD: (Role.SOLAR, Role.UTILITY),
    Topology.NO_SOLAR_METER: (Role.LOAD, Role.UTILITY),
    Topology.ALL: (Role.SOLAR, Role.LOAD, Role.UTILITY),
}
"""The roles that must have a meter."""


def lacking(topology: str, roles: Iterable[Role]) -> list[Role]:
    """The roles that need a meter and have none."""
    known = set(roles)
    if topology == Topology.WITHOUT_SOLAR:
        return [] if known & {Role.LOAD, Role.UTILITY} else [Role.LOAD]
    if topology == Topology.SUM:
        return [] if known & {Role.PLUS, Role.MINUS} else [Role.PLUS]
    return [role for role in REQUIRED[topology] if role not in known]


def define(meter_set: MeterSet, members: Sequence[SetMember] | None = None) -> Definition:
    """What `meter_set` says; with `members` instead of those that are saved. Two queries."""
    if members is None:
        members = list(meter_set.members.select_related("source"))
    series = _series_by_source({member.source_id for member in members})
    parts = [_part(meter_set, member, series.get(member.source_id, []), members) for member in members]
    roles = {part.rule.role for part in parts}
    recipe = Recipe(
        target=target_of(meter_set.topology, roles),
        coverage=meter_set.coverage,
        rating=meter_set.rating_kva,
        tare=meter_set.tare_kw,
        phases=meter_set.phases_match,
    )
    forced = None if meter_set.grid_min is None else meter_set.grid_min * MINUTE_MS
    intervals = [part.rhythm.interval for part in parts]
    step = step_of(intervals, forced) if parts else MINUTE_MS
    return Definition(recipe, parts, step, lacking(meter_set.topology, roles))


def until(member: SetMember, members: Iterable[SetMember]) -> int | None:
    """When the row of a meter ends: by itself, or when the next of the same meter begins."""
    later = [
        other.since
        for other in members
        if _place(other) == _place(member)
        and other.since is not None
        and (member.since is None or other.since > member.since)
    ]
    return min([*later, *([] if member.until is None else [member.until])], default=None)


def _place(member: SetMember) -> tuple[int, str]:
    return member.source_id, member.field


def _series_by_source(source_ids: Iterable[int]) -> dict[int, list[Series]]:
    found: dict[int, list[Series]] = {}
    for series in Series.objects.filter(source__in=source_ids).order_by("field"):
        found.setdefault(series.source_id, []).append(series)
    return found


def _part(
    meter_set: MeterSet, member: SetMember, series: Sequence[Series], members: Sequence[SetMember]
) -> Part:
    columns = columns_of(member, series)
    rule = Rule(
        role=Role(member.role),
        polarity=member.polarity,
        convention=PfConvention(member.pf_convention),
        accuracy=member.accuracy_percent / 100,
        since=member.since,
        until=until(member, members),
    )
    tolerance = None if meter_set.tolerance_s is None else meter_set.tolerance_s * 1000
    return Part(member, rule, Rhythm.of(_interval(columns), tolerance), columns)


def columns_of(member: SetMember, series: Iterable[Series]) -> dict[str, Column]:
    """The columns of a member: all of a meter, the one field of a device."""
    if member.source.namespace == Namespace.METER and not member.field:
        return {one.field: Column(one) for one in series if one.field in COLUMNS}
    chosen = [one for one in series if one.field == member.field and one.unit in FACTORS]
    return {_column_name(one): Column(one, FACTORS[one.unit]) for one in chosen}


def _column_name(series: Series) -> str:
    if series.kind == Kind.COUNTER:
        return "energy"
    return "demand" if series.kind == Kind.INTERVAL else "power"


def _interval(columns: Mapping[str, Column]) -> int:
    """How often (ms) a meter is read, as declared: settings on record, never what is learnt."""
    declared = [column.series.cadence for column in columns.values() if column.series.cadence]
    return round(1000 * max(declared, default=USUAL_CADENCE_S))


def _settings(column: Column) -> Settings:
    """The register's settings, in kWh."""
    own, factor = quarantine.settings_of(column.series), column.factor
    return Settings(
        rating=None if own.rating is None else own.rating * factor,
        modulus=None if own.modulus is None else own.modulus * factor,
    )
