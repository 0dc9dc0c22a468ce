"""A meter that is not there, worked out of those that are. Pure.

Real power and energy come from registers where there are any, else from means, else from instants; reactive
power from each meter's own figures. Those add up. Apparent power, power factor and current follow from the
sums, voltage and frequency are copied from the same bus. Nothing is held, zeroed or clipped: where an input
is missing there is no value, and where a value is impossible it stands and is marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from apps.meters.physics import energy, grid, power, voltage
from apps.meters.physics.balance import BOTH_WAYS, Role, Target, coefficient
from apps.meters.physics.energy import Course, Intervals
from apps.meters.physics.grid import Rhythm, Totals
from apps.meters.physics.power import Flags, PfConvention
from apps.readings.counters import START, Decision, Settings, advance
from apps.readings.integration import HOUR_MS
from apps.readings.quality import Quality
from apps.readings.samples import EMPTY, Samples, Stamps, Values, merge

PHASES = ("a", "b", "c")
REGISTERS = ("energy", "energy_import", "energy_export")
COLUMNS = (
    *REGISTERS,
    "demand",
    "power",
    "reactive_power",
    "apparent_power",
    "power_factor",
    "frequency",
    *voltage.FIELDS,
    *(f"{name}_{phase}" for name in ("power", "reactive_power") for phase in PHASES),
)
"""The fields of a meter that are looked at; the names are those of its roles of points."""


@dataclass(frozen=True)
class Rule:
    """What is on record of a meter from `since` to before `until` (ms); None is for ever.

    `accuracy` is one σ as a part of the reading.
    """

    role: Role
    polarity: int = 1
    convention: PfConvention = PfConvention.UNSIGNED
    accuracy: float = 0.005
    since: int | None = None
    until: int | None = None

    def active(self, edges: Stamps) -> NDArray[np.bool_]:
        """For which intervals (m,) it holds: those that end after it begins, and not after it ends."""
        ends = edges[1:]
        active = np.ones(ends.size, np.bool_)
        if self.since is not None:
            active &= ends > self.since
        if self.until is not None:
            active &= ends <= self.until
        return active


@dataclass(frozen=True)
class Input:
    """A meter under a rule: its readings by field (`COLUMNS`), as it sent them, in kW, kvar, V, Hz and kWh.

    `registers` are the settings and `decisions` those of operators, by register.
    """

    name: str
    rule: Rule
    rhythm: Rhythm
    columns: Mapping[str, Samples]
    registers: Mapping[str, Settings] = field(default_factory=dict)
    decisions: Mapping[str, Mapping[int, Decision]] = field(default_factory=dict)

    def samples(self, name: str) -> Samples:
        """A column, empty where the meter has none."""
        return self.columns.get(name, EMPTY)


@dataclass(frozen=True)
class Recipe:
    """What is worked out and how. `tare` is what inverters may draw at night (kW), `rating` is in kVA.

    `phases` says that phases A, B and C are the same conductors at all meters.
    """

    target: Target
    coverage: float = grid.COVERAGE
    rating: float | None = None
    tare: float = 0.1
    phases: bool = False


class Way(IntEnum):
    """How the real power of an interval was come by."""

    NONE = 0
    REGISTER = 1
    MEAN = 2
    INSTANT = 3


@dataclass(frozen=True, eq=False)
class Aligned:
    """An input on the grid, polarity applied. All are (m,).

    `flags` are of its real and reactive power, `ways` say by which `Way` the real one was come by.
    """

    input: Input
    weight: int
    course: Course
    real: Values
    reactive: Values
    flags: Flags
    coverage: Values
    ways: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Derived:
    """What came of it: `fields` by name, each on stamps of its own, with `_quality` and `_length`.

    `inputs` are the meters on the grid between `edges`, to show what the values were made of.
    """

    edges: Stamps
    fields: Mapping[str, Samples]
    inputs: Sequence[Aligned]


def derive(recipe: Recipe, inputs: Sequence[Input], edges: Stamps) -> Derived:
    """Work the target out for the intervals between `edges`.

    `inputs` hold the readings from a day before the first edge to a few hours after the last.
    """
    aligned = [_align(one, recipe, edges) for one in inputs]
    wanted = {role: [one for one in aligned if one.input.rule.role is role] for role in Role}
    parts = {f"{role}_": own for role, own in wanted.items() if own}
    if recipe.target is Target.SUM:
        parts = {}
    sums = {"": _sum(aligned, [one.weight for one in aligned], _complete(aligned, wanted), edges)}
    sums |= {prefix: _sum(own, [1] * len(own), _some_active(own), edges) for prefix, own in parts.items()}
    found = _Fields(edges)
    for prefix, one in sums.items():
        found.add_real(f"{prefix}power", one.intervals)
        found.add(f"{prefix}reactive_power", one.reactive)
    if recipe.target is not Target.RESIDUAL:
        _follow(found, recipe, aligned, sums[""])
    _judge(found, recipe, sums)
    return Derived(edges, found.samples(), aligned)


@dataclass(frozen=True, eq=False)
class _Sum:
    intervals: Intervals
    real: Values  # (m,), without what is bridged
    reactive: Values  # (m,)
    flags: Flags  # (m,)


class _Fields:
    """Fields on the grid's ends, and what is said beside them."""

    def __init__(self, edges: Stamps) -> None:
        self.edges = edges
        self.values: dict[str, Values] = {}
        self.bridged: dict[str, Intervals] = {}
        self.flags: Flags = np.zeros(edges.size - 1, np.int64)

    def add(self, name: str, values: Values) -> None:
        self.values[name] = values

    def add_real(self, name: str, intervals: Intervals) -> None:
        """A power of energy: what is bridged lasts longer than the grid's step."""
        self.values[name] = self.on_grid(intervals, intervals.powers, ~intervals.bridged)
        self.bridged[name] = intervals

    def on_grid(self, intervals: Intervals, values: Values, chosen: NDArray[np.bool_]) -> Values:
        found = np.full(self.edges.size - 1, np.nan)
        found[np.searchsorted(self.edges[1:], intervals.ends[chosen])] = values[chosen]
        return found

    def samples(self) -> dict[str, Samples]:
        """All fields as samples, where they are present. A bridged interval is told of by powers alone."""
        lengths = np.full(self.edges.size - 1, self.edges[1] - self.edges[0])
        self._bridge(lengths)
        ends = self.edges[1:]
        held = np.isfinite(np.array(list(self.values.values()))).any(axis=0)
        found = {name: _present(ends, values) for name, values in self.values.items()}
        found["_length"] = Samples(ends[held], lengths[held].astype(np.float64))
        marked = held & (self.flags != 0)
        found["_quality"] = Samples(ends[marked], self.flags[marked].astype(np.float64))
        return found

    def _bridge(self, lengths: Stamps) -> None:
        """Let bridged intervals end where they do, unless another field's interval would grow by it."""
        step = int(self.edges[1] - self.edges[0])
        for at, found in sorted(self._bridged_by_end().items()):
            ending = {name: step for name in self.bridged if np.isfinite(self.values[name][at])}
            ending |= {name: int(own.lengths[place]) for name, (own, place) in found.items()}
            longest = max(ending.values())
            if all(length == longest or self._continues(name, at, length) for name, length in ending.items()):
                self._put(at, {name: float(own.powers[place]) for name, (own, place) in found.items()})
                lengths[at] = longest

    def _bridged_by_end(self) -> dict[int, dict[str, tuple[Intervals, int]]]:
        """By place on the grid and field: its intervals, and which of them is bridged and ends there."""
        found: dict[int, dict[str, tuple[Intervals, int]]] = {}
        for name, own in self.bridged.items():
            for place in np.flatnonzero(own.bridged).tolist():
                at = int(np.searchsorted(self.edges, own.ends[place])) - 1
                found.setdefault(at, {})[name] = own, place
        return found

    def _continues(self, name: str, at: int, length: int) -> bool:
        """Whether the interval of a field that ends at `at` follows on one before it, which bounds it."""
        before = at - length // int(self.edges[1] - self.edges[0])
        return before >= 0 and bool(np.isfinite(self.values[name][before]))

    def _put(self, at: int, powers: Mapping[str, float]) -> None:
        """Nothing but powers is known of a gap."""
        for name, value in powers.items():
            self.values[name][at] = value
        for name in self.values.keys() - self.bridged.keys():
            self.values[name][at] = np.nan
        self.flags[at] = self.flags[at] | Quality.BRIDGED


def _align(one: Input, recipe: Recipe, edges: Stamps) -> Aligned:
    rule, sign = one.rule, one.rule.polarity
    active = rule.active(edges)
    register = _register(one, edges)
    step_h = int(edges[1] - edges[0]) / HOUR_MS
    by_register = np.where(np.diff(register.runs) == 0, np.diff(register.values), np.nan)
    means = grid.averages(one.samples("demand"), edges, one.rhythm, coverage=recipe.coverage)
    points = grid.instants(one.samples("power"), edges, one.rhythm, coverage=recipe.coverage)
    real = _first(by_register / step_h, sign * means.values, sign * points.values)
    interpolated = points.lines & np.isnan(by_register) & np.isnan(means.values)
    reactive, flags = _reactive(one, recipe, edges)
    flags = flags | power.marked(interpolated, Quality.INST_INTERP)
    coverage = np.where(np.isfinite(real), 1.0, np.maximum(means.coverage, points.coverage))
    return Aligned(
        one,
        coefficient(rule.role, recipe.target),
        energy.course(real * step_h, register, active),
        np.where(active, real, 0.0),
        np.where(active, reactive, 0.0),
        np.where(active, flags, 0),
        np.where(active, coverage, 1.0),
        np.where(active, _ways(by_register, means.values, points.values), Way.NONE),
    )


def _ways(*choices: Values) -> NDArray[np.int64]:
    """The place, from 1, of the first choice that has a value; 0 where none has."""
    known = np.isfinite(np.array(choices))
    return np.where(known.any(axis=0), known.argmax(axis=0) + 1, 0)


def _first(*choices: Values) -> Values:
    return reduce(lambda better, other: np.where(np.isnan(better), other, better), choices)


def _register(one: Input, edges: Stamps) -> Totals:
    """The meter's energy in its role's direction at the edges, NaN where its registers do not tell.

    A register of one direction is all there is of a load or of solar panels, and it grows with them whatever
    the polarity; of what goes both ways it is half the truth, and not used.
    """
    unknown = Totals(np.full(edges.size, np.nan), np.zeros(edges.size, np.int64))
    imported, exported = one.samples("energy_import"), one.samples("energy_export")
    if len(imported) and len(exported):
        plus, minus = (_advanced(one, name, edges) for name in ("energy_import", "energy_export"))
        both = energy.difference(plus, minus)
        return Totals(one.rule.polarity * both.values, both.runs)
    if one.rule.role in BOTH_WAYS:
        return unknown
    name = next(
        (name for name in ("energy", "energy_import", "energy_export") if len(one.samples(name))), None
    )
    return unknown if name is None else _advanced(one, name, edges)


def _advanced(one: Input, name: str, edges: Stamps) -> Totals:
    samples = one.samples(name)
    settings, decisions = one.registers.get(name, Settings()), one.decisions.get(name)
    advances = advance(START, samples.stamps, samples.values, settings, decisions).advances
    return grid.register_at(advances, edges, one.rhythm.interval)


def _reactive(one: Input, recipe: Recipe, edges: Stamps) -> tuple[Values, Flags]:
    """Reactive power on the grid, worked out for every row of the meter before."""
    rows, flags = _reactive_rows(one)
    means = grid.instants(rows, edges, one.rhythm, coverage=recipe.coverage)
    marked = grid.flags_at(rows.stamps, flags, edges, one.rhythm.tolerance)
    return means.values, np.where(np.isfinite(means.values), marked, 0)


def _reactive_rows(one: Input) -> tuple[Samples, Flags]:
    real = one.samples("power") if len(one.samples("power")) else one.samples("demand")
    reported = one.samples("reactive_power")
    stamps = merge([real, reported]).stamps
    values, flags = power.reactive(
        real=at(stamps, real),
        reported=at(stamps, reported),
        apparent=at(stamps, one.samples("apparent_power")),
        factor=at(stamps, one.samples("power_factor")),
        convention=one.rule.convention,
        polarity=one.rule.polarity,
        inverter=one.rule.role is Role.SOLAR,
    )
    known = np.isfinite(values)
    return Samples(stamps[known], values[known]), flags[known]


def at(stamps: Stamps, samples: Samples) -> Values:
    """The values at exactly these stamps (n,), NaN where there is none."""
    if not len(samples):
        return np.full(stamps.size, np.nan)
    places = np.searchsorted(samples.stamps, stamps).clip(max=len(samples) - 1)
    return np.where(samples.stamps[places] == stamps, samples.values[places], np.nan)


def _some_active(aligned: Iterable[Aligned]) -> NDArray[np.bool_]:
    some: NDArray[np.bool_] = np.logical_or.reduce([one.course.active for one in aligned])
    return some


def _complete(aligned: Sequence[Aligned], wanted: Mapping[Role, list[Aligned]]) -> NDArray[np.bool_]:
    """Where a meter counts for each role of the balance that ever has one; a battery may come and go."""
    needed = [wanted[role] for role in (Role.SOLAR, Role.UTILITY, Role.LOAD) if wanted[role]]
    complete: NDArray[np.bool_] = np.logical_and.reduce([_some_active(aligned), *map(_some_active, needed)])
    return complete


def _sum(
    aligned: Sequence[Aligned], weights: Sequence[int], complete: NDArray[np.bool_], edges: Stamps
) -> _Sum:
    """A signed sum over the intervals in which it is `complete`: every role in it has a meter that counts."""
    courses = [one.course for one in aligned]
    intervals = energy.combine(courses, weights, edges)
    intervals = intervals.at(np.flatnonzero(complete[np.searchsorted(edges, intervals.ends) - 1]))
    signs = np.array(weights, np.float64)
    real = power.signed_sum(np.array([one.real for one in aligned]), signs)
    reactive = power.signed_sum(np.array([one.reactive for one in aligned]), signs)
    flags = np.bitwise_or.reduce([one.flags for one in aligned])
    return _Sum(
        intervals,
        np.where(complete, real, np.nan),
        np.where(complete, reactive, np.nan),
        np.where(complete, flags, 0),
    )


def _follow(found: _Fields, recipe: Recipe, aligned: Sequence[Aligned], total: _Sum) -> None:
    """What follows from the sums, and what is copied from the meters beside."""
    found.flags |= np.where(np.isfinite(total.real), total.flags, 0)
    apparent = power.apparent(total.real, total.reactive)
    found.add("apparent_power", apparent)
    found.add("power_factor", power.power_factor(total.real, apparent, floor=power.floor_of(recipe.rating)))
    if recipe.target is Target.SUM:
        return
    _copy(found, recipe, aligned, np.isfinite(total.real))
    between = found.values["voltage_ll"]
    to_neutral = np.sqrt(3) * found.values["voltage_ln"]
    found.add("current", power.line_current(apparent, _first(between, to_neutral)))
    if recipe.phases:
        _add_phases(found, recipe, aligned)


def _copy(found: _Fields, recipe: Recipe, aligned: Sequence[Aligned], wanted: NDArray[np.bool_]) -> None:
    beside = sorted(
        aligned, key=lambda one: one.input.rule.role is not Role.UTILITY
    )  # the reference meter first
    for name in voltage.FIELDS:
        value, flags = voltage.of_bus(_columns(beside, name, recipe, found.edges))
        found.add(name, np.where(wanted, value, np.nan))
        found.flags |= np.where(wanted, flags, 0)
    found.add(
        "frequency",
        np.where(wanted, voltage.first(_columns(beside, "frequency", recipe, found.edges)), np.nan),
    )


def _columns(aligned: Sequence[Aligned], name: str, recipe: Recipe, edges: Stamps) -> Values:
    """One column of all meters (k, m), NaN where a meter does not count."""
    return np.array(
        [np.where(one.course.active, _column(one, name, recipe, edges), np.nan) for one in aligned]
    )


def _column(one: Aligned, name: str, recipe: Recipe, edges: Stamps) -> Values:
    samples = one.input.samples(name)
    if not len(samples):
        return np.full(edges.size - 1, np.nan)
    return grid.instants(samples, edges, one.input.rhythm, coverage=recipe.coverage).values


def _add_phases(found: _Fields, recipe: Recipe, aligned: Sequence[Aligned]) -> None:
    """Per-phase powers add up where the phases are the same conductors."""
    signs = np.array([one.weight * one.input.rule.polarity for one in aligned], np.float64)
    for phase in PHASES:
        real, reactive = (
            power.signed_sum(_active_columns(aligned, f"{name}_{phase}", recipe, found.edges), signs)
            for name in ("power", "reactive_power")
        )
        found.add(f"power_{phase}", real)
        found.add(f"reactive_power_{phase}", reactive)
        apparent = power.apparent(real, reactive)
        found.add(f"current_{phase}", power.phase_current(apparent, found.values[f"voltage_{phase}"]))


def _active_columns(aligned: Sequence[Aligned], name: str, recipe: Recipe, edges: Stamps) -> Values:
    return np.array([np.where(one.course.active, _column(one, name, recipe, edges), 0.0) for one in aligned])


def _judge(found: _Fields, recipe: Recipe, sums: Mapping[str, _Sum]) -> None:
    """Mark what cannot be; it stands."""
    for role, least, bit in (
        (Role.LOAD, 0.0, Quality.NEG_LOAD),
        (Role.SOLAR, -recipe.tare, Quality.NEG_SOLAR),
    ):
        prefix = "" if recipe.target == role.value else f"{role}_"
        if prefix in sums:
            with np.errstate(invalid="ignore"):
                found.flags |= power.marked(found.values[f"{prefix}power"] < least, bit)


def _present(stamps: Stamps, values: Values) -> Samples:
    known = np.isfinite(values)
    return Samples(stamps[known], values[known])
