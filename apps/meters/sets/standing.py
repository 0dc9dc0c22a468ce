"""How the meters of a house stand: energies, how sure they are, what is awaited, and what all is made of.

Computed when somebody looks, from what is stored. Energies are in kWh, powers in kW, stamps in Unix ms.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from apps.alerts import rhythm
from apps.houses.models import House
from apps.meters import delays
from apps.meters.models import Assignment, Logger, MeterSet
from apps.meters.physics import power
from apps.meters.physics.balance import Role, Target, in_words
from apps.meters.physics.derivation import Aligned, Derived, Way
from apps.meters.physics.freshness import Freshness, Presence, freshness, horizon
from apps.meters.physics.summary import Summary, energy, field_of, summarise
from apps.meters.sets.computing import look
from apps.meters.sets.definition import Definition, define
from apps.meters.uploads import rhythm_of
from apps.readings import bins, calendar, store
from apps.readings.models import Namespace, Series, Source
from apps.readings.quality import Quality
from apps.readings.samples import DAY, EMPTY, Samples
from apps.readings.times import milliseconds

FIELDS = ("power", "reactive_power", "_length", "_quality")
WEEK = 7
MINUTE = 60_000

MARKS = {
    Quality.BRIDGED: "a gap was bridged by registers: its energy is measured, its course is not",
    Quality.INST_INTERP: "instants of power were joined by a line",
    Quality.Q_FROM_S: "reactive power of a meter was worked out of its kVA, with distortion in it",
    Quality.Q_ASSUMED: "the sign of a meter's reactive power was assumed",
    Quality.V_SINGLE: "one meter alone told a voltage",
    Quality.V_MISMATCH: "voltages differ by more than 3 %",
    Quality.OTHER_BUS: "voltages differ like two sides of a transformer: these meters are not on one bus",
    Quality.NEG_LOAD: "the load was below zero",
    Quality.NEG_SOLAR: "solar power was below what inverters draw at night",
}
"""What marks say of intervals, in words; the order is that of what matters most."""
WAYS = {Way.REGISTER: "registers", Way.MEAN: "means", Way.INSTANT: "instants"}


@dataclass(frozen=True)
class Period:
    """A stretch of the house's calendar and what it came to; `sigma` is one σ of the derived energy."""

    title: str
    summary: Summary
    derived: float | None
    sigma: float | None
    known: float
    """The part of it that the derived meter covers, 0 to 1."""


@dataclass(frozen=True)
class Lineage:
    """An input: what it measures under which rule, how it was used today, and when it was last heard of."""

    name: str
    label: str
    role: str
    sign: str
    polarity: str
    accuracy: float
    minutes: float
    ways: str
    newest: int | None
    waits: str


@dataclass(frozen=True)
class Standing:
    """Everything that the panel of a house shows."""

    meter: Source
    words: str
    target: Target
    version: int
    minutes: int
    now: tuple[int, float, float] | None
    """The newest stamp, power and σ."""
    periods: Sequence[Period]
    states: Mapping[str, int]
    """How many intervals of today are final, provisional, awaited, missing or partial."""
    marks: Sequence[tuple[str, int]]
    inputs: Sequence[Lineage]
    register: float | None
    derived: Derived
    """The intervals of today and yesterday."""


def standing(meter_set: MeterSet, *, now: datetime) -> Standing | None:
    """How a set stands, None for one whose derived meter is gone."""
    meter = meter_set.derived
    if meter is None:
        return None
    definition, house, stamp = define(meter_set), meter_set.house, milliseconds(now)
    begin, end = calendar.day_bounds(house.time_zone, calendar.local_date(house.time_zone, stamp))
    fields = _stored(meter.source, definition, house, stamp)
    today = look(definition, start=begin - DAY, end=min(end, stamp + 1)) if definition.parts else None
    if today is None:
        return None
    waits = _horizons(definition)
    return Standing(
        meter=meter.source,
        words=in_words(definition.roles, definition.recipe.target),
        target=definition.recipe.target,
        version=meter_set.version,
        minutes=definition.step // 60_000,
        now=_now(definition, fields),
        periods=_periods(house, definition, fields, stamp),
        states=_states(today, waits, begin, stamp, definition.recipe.coverage),
        marks=_marks(fields.get("_quality", EMPTY).between(begin, end)),
        inputs=_lineage(definition, today, waits, begin),
        register=_register(meter_set, meter.source, stamp),
        derived=today,
    )


def _stored(source: Source, definition: Definition, house: House, now: int) -> dict[str, Samples]:
    """What is stored of the last eight local days, by field."""
    wanted = {*FIELDS}
    for role in (Role.SOLAR, Role.LOAD, Role.UTILITY, Role.BATTERY):
        wanted |= {field_of(definition.recipe.target, role, name) for name in ("power", "reactive_power")}
    series = dict(Series.objects.filter(source=source, field__in=wanted).values_list("pk", "field"))
    first = calendar.local_date(house.time_zone, now) - timedelta(days=WEEK)
    start, _ = calendar.day_bounds(house.time_zone, first)
    return {
        series[number]: own for number, own in store.read(list(series), start=start, end=now + DAY).items()
    }


def _periods(house: House, definition: Definition, fields: Mapping[str, Samples], now: int) -> list[Period]:
    today = calendar.local_date(house.time_zone, now)
    stretches = [
        ("Today", today, today),
        ("Yesterday", today - timedelta(days=1), today - timedelta(days=1)),
        (f"{WEEK} days to yesterday", today - timedelta(days=WEEK), today - timedelta(days=1)),
    ]
    return [_period(house, definition, fields, now, *stretch) for stretch in stretches]


def _period(
    house: House,
    definition: Definition,
    fields: Mapping[str, Samples],
    now: int,
    title: str,
    first: date,
    last: date,
) -> Period:
    start = calendar.day_bounds(house.time_zone, first)[0]
    end = min(now, calendar.day_bounds(house.time_zone, last)[1])
    # An interval belongs to where it ends, so that one that ends at midnight is the old day's.
    own = {name: samples.between(start + 1, end + 1) for name, samples in fields.items()}
    target = definition.recipe.target
    found = summarise(target, own)
    totals = {Role.SOLAR: found.production, Role.LOAD: found.consumption}
    totals[Role.UTILITY] = None if found.imported is None else found.imported - (found.exported or 0)
    derived = (
        totals.get(Role(target)) if target in (Target.UTILITY, Target.LOAD, Target.SOLAR) else found.residual
    )
    known = found.hours * 3_600_000 / (end - start) if end > start else 0.0
    return Period(title, found, derived, _sigma(definition, totals), min(1.0, known))


def _sigma(definition: Definition, totals: Mapping[Role, float | None]) -> float | None:
    """One σ of the derived energy: errors of one meter go one way, those of two are independent."""
    accuracies = _accuracies(definition)
    known = [
        (totals[role], accuracy) for role, accuracy in accuracies.items() if totals.get(role) is not None
    ]
    if not known:
        return None
    values, sizes = np.array(known, np.float64).T
    return float(power.uncertainty(values[:, None], sizes)[0])


def _accuracies(definition: Definition) -> dict[Role, float]:
    """Of each role the worst accuracy of its meters."""
    found: dict[Role, float] = {}
    for part in definition.parts:
        found[part.rule.role] = max(found.get(part.rule.role, 0.0), part.rule.accuracy)
    return found


def _now(definition: Definition, fields: Mapping[str, Samples]) -> tuple[int, float, float] | None:
    own = fields.get("power", EMPTY)
    if not len(own):
        return None
    stamp, value = int(own.stamps[-1]), float(own.values[-1])
    at_stamp: dict[Role, float | None] = {}
    for role in definition.roles:
        found = fields.get(field_of(definition.recipe.target, role), EMPTY).between(stamp, stamp + 1)
        at_stamp[role] = float(found.values[0]) if len(found) else None
    return stamp, value, _sigma(definition, at_stamp) or 0.0


def _horizons(definition: Definition) -> list[int]:
    """How long (ms) each input is waited for, by how late it usually is, else by how its logger uploads."""
    sources = [part.member.source_id for part in definition.parts]
    found = Assignment.objects.filter(meter__in=sources, ends=None).select_related("device__logger")
    rows = list(found)
    usual = delays.usual([row.device_id for row in rows])
    late = {row.meter_id: usual[row.device_id] for row in rows if row.device_id in usual}
    between = {row.meter_id: _between(row.device.logger) for row in rows}
    return [
        horizon(
            interval=part.rhythm.interval,
            delay=late.get(part.member.source_id),
            # Agents send what they read within the minute.
            between=between.get(
                part.member.source_id, None if part.member.source.namespace == Namespace.METER else MINUTE
            ),
        )
        for part in definition.parts
    ]


def _between(logger: Logger) -> int | None:
    """The usual time (ms) between uploads, as learnt; None while that is not known."""
    known = rhythm_of(logger.rhythm)
    if known is None or known.arrivals < rhythm.LEARNT_AFTER or not known.pauses:
        return None
    return round(statistics.median_high(known.pauses.values()))


def _states(today: Derived, waits: Sequence[int], begin: int, now: int, least: float) -> dict[str, int]:
    ends = today.edges[1:]
    chosen = (ends > begin) & (ends <= now)
    first = int(chosen.argmax())
    edges = np.concatenate((today.edges[first : first + 1], ends[chosen])) if chosen.any() else ends[:0]
    if not edges.size:
        return {}
    present = np.isin(ends[chosen], today.fields.get("power", EMPTY).stamps, assume_unique=True).tolist()
    inputs = [Presence(one.coverage[chosen], wait) for one, wait in zip(today.inputs, waits, strict=True)]
    counts = Counter(str(one) for one in freshness(edges, present, inputs, now=now, least=least))
    return {str(state): counts[state] for state in Freshness if counts[state]}


def _marks(quality: Samples) -> list[tuple[str, int]]:
    bits = quality.values.astype(np.int64)
    counted = [(words, int(np.count_nonzero(bits & bit))) for bit, words in MARKS.items()]
    return [(words, count) for words, count in counted if count]


def _lineage(definition: Definition, today: Derived, waits: Sequence[int], begin: int) -> list[Lineage]:
    newest = store.latest([part.member.source_id for part in definition.parts])
    found = []
    for part, one, wait in zip(definition.parts, today.inputs, waits, strict=True):
        stamps = [stamp for stamp, _ in newest[part.member.source_id].values()]
        found.append(
            Lineage(
                name=str(part.member),
                label=str(part.member.source),
                role=part.rule.role,
                sign="+" if one.weight > 0 else "−",
                polarity="reversed" if part.rule.polarity < 0 else "",
                accuracy=100 * part.rule.accuracy,
                minutes=part.rhythm.interval / 60_000,
                ways=_ways(one, today, begin),
                newest=max(stamps, default=None),
                waits=f"{wait / 3_600_000:.3g} h",
            )
        )
    return found


def _ways(one: Aligned, today: Derived, begin: int) -> str:
    """By which of its figures its power was known, the most frequent first."""
    own = one.ways[today.edges[1:] > begin]
    counts = Counter(own[own > 0].tolist())
    return ", ".join(WAYS[Way(way)] for way, _ in counts.most_common())


def _register(meter_set: MeterSet, source: Source, now: int) -> float | None:
    """What the derived register shows now, from its anchor on; None where nobody set one.

    It is shown, never stored or subtracted: another anchor changes no energy.
    """
    begin = meter_set.anchor_at
    if begin is None:
        return None
    power = Series.objects.filter(source=source, field="power").first()
    if power is None or begin >= now:
        return meter_set.anchor_kwh
    zone = meter_set.house.time_zone
    midnight = calendar.day_bounds(zone, calendar.local_date(zone, begin))[1]
    return (
        meter_set.anchor_kwh + _first_hours(power, begin, midnight) + _days_since(power, zone, midnight, now)
    )


def _first_hours(power: Series, begin: int, end: int) -> float:
    """kWh of what ended after the anchor within its day."""
    length = Series.objects.filter(source=power.source_id, field="_length").first()
    if length is None:
        return 0.0
    found = store.read([power.pk, length.pk], start=begin + 1, end=end + 1)
    return energy(found[power.pk], found[length.pk]) or 0.0


def _days_since(power: Series, zone: str, midnight: int, now: int) -> float:
    """kWh of the days after it, from their rollups."""
    if midnight >= now:
        return 0.0
    found = bins.binned([power], zone=zone, every="1d", start=midnight, end=now + 1, names=("integral",))
    integral = found[power.pk].integral
    return 0.0 if integral is None else float(np.nansum(integral))
