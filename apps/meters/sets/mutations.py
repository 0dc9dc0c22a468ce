"""Every change to meter sets, for the admin, the API and commands alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters import metering
from apps.meters.models import Meter
from apps.meters.physics.balance import Role, Target, in_words
from apps.meters.sets import changes, items
from apps.meters.sets.computing import REACH
from apps.meters.sets.definition import Definition, define
from apps.meters.sets.fields import specs
from apps.meters.sets.models import DerivedMeter, MeterSet, SetMember, Topology
from apps.readings import dependencies, store
from apps.readings.dependencies import DependencyCycleError
from apps.readings.marks import Reason
from apps.readings.models import Namespace, Source
from apps.readings.samples import DAY
from apps.readings.series import SeriesConflict, declare

NAMES = {
    Target.UTILITY: ("derived_utility", "Utility meter (derived)"),
    Target.LOAD: ("derived_load", "Load meter (derived)"),
    Target.SOLAR: ("derived_solar", "Solar meter (derived)"),
    Target.RESIDUAL: ("residual", "Balance residual"),
    Target.SUM: ("derived_sum", "Sum of meters"),
}
"""What a derived meter is called: its name says which it is, and never means another."""


class Settings(TypedDict, total=False):
    """What may be set of a set beside its members."""

    topology: str
    grid_min: int | None
    tolerance_s: int | None
    coverage: float
    rating_kva: float | None
    tare_kw: float
    phases_match: bool
    residual_percent: float
    anchor_kwh: float
    anchor_at: int | None


@dataclass(frozen=True)
class Spec:
    """A member: a meter, or a field of a device, and what holds of it over [since, until) ms."""

    source: Source
    role: str
    field: str = ""
    polarity: int = 1
    pf_convention: str = "unsigned"
    accuracy_percent: float = 0.5
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class Consequences:
    """What declaring a set brings about, to be seen before it is saved."""

    words: str
    label: str
    is_new: bool
    retires: str
    items: Sequence[items.Planned]
    days: int
    warnings: Sequence[str]


def consequences(*, house: House, members: Sequence[Spec], **settings: Unpack[Settings]) -> Consequences:
    """What `declare_set` would do with the same arguments. Raises ValidationError as that would."""
    draft = _draft(house, members, settings)
    current = draft.before.derived if draft.before else None
    name, label = _names(draft)
    known = _known(draft)
    return Consequences(
        words=in_words(draft.definition.roles, draft.definition.recipe.target),
        label=str(known.meter) if known else label,
        is_new=known is None,
        retires=str(current) if current and (known is None or current != known.meter) else "",
        items=items.plan(house, draft.definition, name),
        days=_days(draft),
        warnings=_warnings(draft.definition),
    )


@transaction.atomic
def declare_set(
    *,
    house: House,
    members: Sequence[Spec],
    by: User | None = None,
    now: datetime,
    **settings: Unpack[Settings],
) -> MeterSet:
    """Say what the meters of `house` are to each other, in place of what was said before.

    The meter that follows is worked out from then on, for all days that the change touches, and the items
    that dashboards read follow it. Saying the same again changes nothing. Raises ValidationError.
    """
    House.objects.select_for_update(no_key=True).get(pk=house.pk)
    draft = _draft(house, members, settings)
    touched = changes.touched(draft.before, draft.meter_set, draft.was, draft.members)
    _save(draft, bool(touched), by)
    derived = _derived(draft, by, now)
    _depend(derived, draft)
    for first, last in touched:
        dependencies.invalidate(source_id=derived.pk, first_day=first, last_day=last, reason=Reason.SETTINGS)
    items.apply(items.plan(house, draft.definition, derived.source.name), house=house, by=by)
    return draft.meter_set


@transaction.atomic
def retire_set(*, meter_set: MeterSet, by: User | None = None, now: datetime) -> None:
    """Forget what the meters are to each other. What was worked out stays; nothing new follows.

    Raises nothing where items still read it: they show what there is.
    """
    House.objects.select_for_update(no_key=True).get(pk=meter_set.house_id)
    current = meter_set.derived_meters.filter(retired_at=None).first()
    if current is not None:
        _retire(current, by, now)
    # The derived meters stay meters of the house; only that they are derived is forgotten with the set.
    _noted(meter_set, by)
    meter_set.delete()


# ---- What is meant, and whether it can be


@dataclass
class _Draft:
    """A set as it would be: `before` as it is."""

    before: MeterSet | None
    meter_set: MeterSet
    was: Sequence[SetMember]
    members: list[SetMember]
    definition: Definition


def _draft(house: House, members: Sequence[Spec], settings: Settings) -> _Draft:
    before = MeterSet.objects.filter(house=house).first()
    meter_set = MeterSet.objects.filter(house=house).first() or MeterSet(house=house)
    for name, value in settings.items():
        setattr(meter_set, name, value)
    meter_set.full_clean(validate_constraints=False)
    rows = [_member(meter_set, spec) for spec in members]
    was = list(before.members.select_related("source")) if before else []
    definition = define(meter_set, rows)
    _check(house, meter_set, rows, definition)
    return _Draft(before, meter_set, was, rows, definition)


def _member(meter_set: MeterSet, spec: Spec) -> SetMember:
    return SetMember(
        meter_set=meter_set,
        source=spec.source,
        field=spec.field,
        role=spec.role,
        polarity=spec.polarity,
        pf_convention=spec.pf_convention,
        accuracy_percent=spec.accuracy_percent,
        since=spec.since,
        until=spec.until,
    )


def _check(house: House, meter_set: MeterSet, rows: Sequence[SetMember], definition: Definition) -> None:
    """Raise ValidationError for the first thing that is wrong."""
    for row in rows:
        row.clean_fields(exclude=["meter_set"])
        _check_member(house, row)
    _check_rows(rows)
    for part in definition.parts:
        if not part.columns:
            raise ValidationError(_nothing_measured(part.member))
    _check_roles(meter_set, definition)


def _check_member(house: House, row: SetMember) -> None:
    if row.source.house_id != house.pk:
        raise ValidationError(f"“{row.source}” is not of this house. Choose a meter of {house}.")
    if row.source.namespace == Namespace.ANALYTICS:
        raise ValidationError(f"“{row.source}” is an analytics item. Choose the meters that it is made of.")
    if row.source.namespace != Namespace.METER and not row.field:
        raise ValidationError(f"“{row.source}” is a device: say which of its fields is the power.")
    if row.since is not None and row.until is not None and row.until <= row.since:
        raise ValidationError(f"“{row}” ends before it begins. Correct one of the two.")


def _check_rows(rows: Sequence[SetMember]) -> None:
    places = [(row.source_id, row.field, row.since) for row in rows]
    for row, place in zip(rows, places, strict=True):
        if places.count(place) > 1:
            raise ValidationError(
                f"“{row}” is there twice from the same time on. Remove one, or give it a start."
            )


def _nothing_measured(row: SetMember) -> str:
    if row.field:
        return f"“{row}” is no power or energy in W, kW, Wh or kWh. Choose another field."
    return f"“{row}” has no power, demand or energy yet. Say in its logger's device which point that is."


def _check_roles(meter_set: MeterSet, definition: Definition) -> None:
    topology = Topology(meter_set.topology)
    if definition.lacking:
        raise ValidationError(f"“{topology.label}” needs a meter for: {', '.join(definition.lacking)}.")
    for role in sorted(definition.roles):
        if not _fits(role, topology):
            raise ValidationError(
                f"“{topology.label}” has no place for a meter that measures {role}."
                " Remove it, or choose what else is metered."
            )


def _fits(role: Role, topology: Topology) -> bool:
    if topology is Topology.SUM:
        return role in (Role.PLUS, Role.MINUS)
    missing = {
        Topology.NO_UTILITY: Role.UTILITY,
        Topology.NO_LOAD: Role.LOAD,
        Topology.NO_SOLAR_METER: Role.SOLAR,
        Topology.WITHOUT_SOLAR: Role.SOLAR,
    }
    return role not in (Role.PLUS, Role.MINUS, missing.get(topology))


def _warnings(definition: Definition) -> list[str]:
    """What the set cannot give, or gives worse, and why."""
    found = []
    reactive = {"reactive_power", "apparent_power", "power_factor"}
    without = [str(part.member) for part in definition.parts if not reactive & part.columns.keys()]
    if without:
        found.append(
            f"{', '.join(without)} tells neither kvar nor kVA nor a power factor:"
            " of what is derived there will be none."
        )
    rough = [
        str(part.member) for part in definition.parts if set(part.columns) & {"power"} == set(part.columns)
    ]
    if rough:
        found.append(f"{', '.join(rough)} has only instants of power: what happens between them is not seen.")
    return found


# ---- The derived meter


def _known(draft: _Draft) -> DerivedMeter | None:
    """The derived meter of this target that the set has, or had."""
    if draft.before is None:
        return None
    target = draft.definition.recipe.target
    return draft.before.derived_meters.filter(target=target).select_related("meter__source").first()


def _names(draft: _Draft) -> tuple[str, str]:
    """The name and label of the derived meter; a number tells it from another source of the house."""
    name, label = NAMES[draft.definition.recipe.target]
    known = _known(draft)
    if known is not None:
        return known.meter.source.name, label
    taken = set(Source.objects.filter(house=draft.meter_set.house).values_list("name", flat=True))
    return next(
        choice for choice in [name, *(f"{name}_{n}" for n in range(2, 1000))] if choice not in taken
    ), label


def _save(draft: _Draft, other_values: bool, by: User | None) -> None:
    """Save the set and its members where they changed; what gives other values is another version."""
    meter_set, before = draft.meter_set, draft.before
    if before is not None and other_values:
        meter_set.version = before.version + 1
    if before is None or _contents(meter_set) != _contents(before):
        _noted(meter_set, by)
        meter_set.save()
    if [_contents(row) for row in draft.was] == [_contents(row) for row in draft.members]:
        return
    for row in draft.was:
        _noted(row, by)
        row.delete()
    for row in draft.members:
        _noted(row, by)
        row.save()


def _contents(row: Any) -> dict[str, Any]:
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.name != "id"
    }


def _derived(draft: _Draft, by: User | None, now: datetime) -> Meter:
    """The meter to work out; that of another target is retired, with its history."""
    wanted = _known(draft)
    for other in draft.meter_set.derived_meters.filter(retired_at=None).select_related("meter__source"):
        if wanted is None or other.pk != wanted.pk:
            _retire(other, by, now)
    if wanted is None:
        name, label = _names(draft)
        meter = metering.create_meter(house=draft.meter_set.house, name=name, label=label, by=by)
        DerivedMeter.objects.create(
            meter=meter, meter_set=draft.meter_set, target=draft.definition.recipe.target
        )
        return meter
    if wanted.retired_at is not None:
        wanted.retired_at = None
        wanted.save(update_fields=["retired_at"])
        metering.update_meter(meter=wanted.meter, enabled=True, by=by)
    return wanted.meter


def _retire(derived: DerivedMeter, by: User | None, now: datetime) -> None:
    derived.retired_at = now
    derived.save(update_fields=["retired_at"])
    metering.update_meter(meter=derived.meter, enabled=False, by=by)
    dependencies.depend(source_id=derived.pk, inputs={})


def _depend(meter: Meter, draft: _Draft) -> None:
    """Let the days of the meter follow those of the members. Raises ValidationError for a cycle."""
    try:
        declare(source=meter.source, fields=specs(draft.definition))
        dependencies.depend(source_id=meter.pk, inputs={row.source_id: REACH for row in draft.members})
    except (DependencyCycleError, SeriesConflict) as error:
        raise ValidationError(str(error)) from None


def _days(draft: _Draft) -> int:
    """On how many UTC days something is to be worked out, at most."""
    first, end = store.extent([row.source_id for row in draft.members])
    touched = changes.touched(draft.before, draft.meter_set, draft.was, draft.members)
    held = range(first // DAY, end // DAY)
    return sum(max(0, min(last + 1, held.stop) - max(begin, held.start)) for begin, last in touched)


def _noted(row: Any, by: User | None) -> None:
    row._history_user = by  # who, in the history
