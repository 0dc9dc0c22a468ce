"""What the powers of a stretch of time come to: energies, shares, power factor at the connection. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from apps.meters.physics.balance import Role, Target
from apps.meters.physics.derivation import at
from apps.readings.integration import HOUR_MS
from apps.readings.quality import Quality
from apps.readings.samples import EMPTY, Samples, Values


@dataclass(frozen=True)
class Summary:
    """Energies in kWh, None where nothing tells; `hours` is how long the derived meter is known.

    `imported` and `exported` are net of each interval. `self_consumption` is the part of the production that
    was used at the place, `self_sufficiency` the part of the load that it covered.
    """

    hours: float
    production: float | None = None
    consumption: float | None = None
    imported: float | None = None
    exported: float | None = None
    self_consumption: float | None = None
    self_sufficiency: float | None = None
    power_factor: float | None = None
    residual: float | None = None
    residual_percent: float | None = None


@dataclass(frozen=True)
class Marks:
    """How many intervals there are, and in how many of them what cannot be below zero was."""

    intervals: int
    negative_load: int
    negative_solar: int


def summarise(target: Target, fields: Mapping[str, Samples]) -> Summary:
    """What the fields of a derived meter come to.

    The shares compare what is known at the same time: intervals in which solar, load and utility are all
    there.
    """
    powers = {
        role: fields.get(field_of(target, role), EMPTY) for role in (Role.SOLAR, Role.LOAD, Role.UTILITY)
    }
    solar, load, utility = powers.values()
    residual = fields.get("power", EMPTY) if target is Target.RESIDUAL else EMPTY
    lengths = fields.get("_length", EMPTY)
    left, taken = energy(residual, lengths), energy(load, lengths)
    return Summary(
        hours=float(at(fields.get("power", EMPTY).stamps, lengths).sum() / HOUR_MS),
        production=energy(solar, lengths),
        consumption=taken,
        imported=energy(_part(utility, 1), lengths),
        exported=energy(_part(utility, -1), lengths),
        self_consumption=_share(solar, utility, lengths, of_load=False),
        self_sufficiency=_share(load, utility, lengths, of_load=True),
        power_factor=_power_factor(target, fields, utility, lengths),
        residual=left,
        residual_percent=None if left is None or not taken else 100 * left / taken,
    )


def field_of(target: Target, role: Role, name: str = "power") -> str:
    """The field of a derived meter that holds a role's power; its own is not named after its role."""
    return name if target == role.value else f"{role}_{name}"


def marks(fields: Mapping[str, Samples]) -> Marks:
    """How often the derived meter, or an input of it, was where it cannot be."""
    quality = fields.get("_quality", EMPTY).values.astype(np.int64)
    return Marks(
        intervals=len(fields.get("power", EMPTY)),
        negative_load=int(np.count_nonzero(quality & Quality.NEG_LOAD)),
        negative_solar=int(np.count_nonzero(quality & Quality.NEG_SOLAR)),
    )


def energy(power: Samples, lengths: Samples) -> float | None:
    """kWh of mean powers over the lengths on record."""
    return float(np.dot(power.values, at(power.stamps, lengths))) / HOUR_MS if len(power) else None


def _part(power: Samples, sign: int) -> Samples:
    return Samples(power.stamps, np.maximum(sign * power.values, 0))


def _share(of: Samples, utility: Samples, lengths: Samples, *, of_load: bool) -> float | None:
    """The part of `of` that did not pass the connection: of a load not imported, else not exported."""
    passing = at(of.stamps, utility)
    known = np.isfinite(passing)
    spans = at(of.stamps, lengths)[known]
    total = float(np.dot(of.values[known], spans))
    passed = np.maximum(passing[known] if of_load else -passing[known], 0)
    # A battery may export, and import, more than the sun gives.
    share = 1 - float(np.dot(passed, spans)) / total if total > 0 else None
    return None if share is None else min(1.0, max(0.0, share))


def _power_factor(
    target: Target, fields: Mapping[str, Samples], utility: Samples, lengths: Samples
) -> float | None:
    """Of the whole stretch: Σ|P| ÷ √(Σ|P|² + ΣQ²) at the connection, as tariffs have it."""
    reactive = at(utility.stamps, fields.get(field_of(target, Role.UTILITY, "reactive_power"), EMPTY))
    known = np.isfinite(reactive)
    spans: Values = at(utility.stamps, lengths)[known]
    real = float(np.dot(np.abs(utility.values[known]), spans))
    imaginary = float(np.dot(reactive[known], spans))
    size = float(np.hypot(real, imaginary))
    return real / size if size > 0 else None
