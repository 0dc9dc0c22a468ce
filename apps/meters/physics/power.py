"""Real, reactive and apparent power, power factor and current: signs, sums, what follows from sums. Pure.

All arrays are (n,) unless said otherwise; NaN is missing and stays so.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from apps.readings.quality import Quality
from apps.readings.samples import Values

Flags = NDArray[np.int64]
"""Bits of `Quality`."""

ROUNDING = 0.01
"""|P| above S, or |PF| above 1, by so much is still a rounded figure; what is further off is damaged."""
NEAR_UNITY = 0.99
"""From this power factor on an inverter is taken to supply no reactive power."""
RATING_PART = 0.005
LEAST_KVA = 0.05


class PfConvention(StrEnum):
    """What the sign of a meter's power factor says."""

    UNSIGNED = "unsigned"  # nothing
    IEC = "iec"  # the direction of P: + import, − export
    IEEE = "ieee"  # + leading, − lagging
    PERCENT = "percent"  # nothing, and it is in per cent


def reactive(
    *,
    real: Values,
    reported: Values,
    apparent: Values,
    factor: Values,
    convention: PfConvention,
    polarity: int,
    inverter: bool,
) -> tuple[Values, Flags]:
    """Reactive power (kvar) with `polarity` applied, and how it was come by.

    `real`, `reported` (kvar), `apparent` and `factor` are as the meter says them, before its polarity. The
    order is: what the meter reports; ±√(S² − P²), which counts distortion in, Q_FROM_S; ±|P|·tan(acos PF).
    Where the sign cannot be known a load is inductive (+) and an `inverter` near unity supplies none:
    Q_ASSUMED.
    """
    magnitude, from_apparent = _magnitude(real, apparent, factor_size(factor, convention))
    sign = polarity * _sign(real, factor, convention)
    unknown = np.isnan(sign)
    assumed = _assumed(magnitude, real) if inverter else magnitude
    worked_out = np.where(unknown, assumed, sign * magnitude)
    said = np.isfinite(reported)
    # The size of nothing has no sign to assume.
    flags = marked(from_apparent, Quality.Q_FROM_S) | marked(unknown & (magnitude > 0), Quality.Q_ASSUMED)
    return np.where(said, polarity * reported, worked_out), np.where(said | np.isnan(magnitude), 0, flags)


def marked(where: NDArray[np.bool_], bit: Quality) -> Flags:
    """The bit where it holds, else none."""
    return np.where(where, np.int64(bit), np.int64(0))


def factor_size(factor: Values, convention: PfConvention) -> Values:
    """|PF| from 0 to 1; NaN for what no power factor can be, such as a meter's −100 for “not known”."""
    size = np.abs(factor) / (100 if convention is PfConvention.PERCENT else 1)
    return np.where(size <= 1 + ROUNDING, np.minimum(size, 1), np.nan)


def _magnitude(real: Values, apparent: Values, size: Values) -> tuple[Values, NDArray[np.bool_]]:
    """|Q|, and where it comes from S."""
    with np.errstate(invalid="ignore", divide="ignore"):
        usable = (apparent >= 0) & (np.abs(real) <= apparent * (1 + ROUNDING))
        by_apparent = np.sqrt(np.maximum(apparent**2 - real**2, 0))
        by_factor = np.abs(real) * np.sqrt(1 - size**2) / size
    # At PF 0 the real power says nothing of the reactive one.
    by_factor = np.where(size > 0, by_factor, np.nan)
    return np.where(usable, by_apparent, by_factor), usable


def _sign(real: Values, factor: Values, convention: PfConvention) -> Values:
    """The sign of Q in the meter's own frame: known only where leading is told from lagging.

    Import lagging and export leading are the quadrants with Q > 0, import leading and export lagging those
    with Q < 0.
    """
    if convention is not PfConvention.IEEE:
        return np.full(real.shape, np.nan)
    sign = -np.sign(factor) * np.sign(real)
    return np.where(sign == 0, np.nan, sign)


def _assumed(magnitude: Values, real: Values) -> Values:
    near_unity = np.abs(real) >= NEAR_UNITY * np.hypot(real, magnitude)
    return np.where(near_unity & np.isfinite(magnitude), 0, magnitude)


def apparent(real: Values, reactive: Values) -> Values:
    """S from the result: apparent powers themselves never add up."""
    return np.hypot(real, reactive)


def floor_of(rating: float | None) -> float:
    """The apparent power (kVA) below which a power factor says nothing; `rating` in kVA."""
    return LEAST_KVA if rating is None else RATING_PART * rating


def power_factor(real: Values, apparent: Values, *, floor: float) -> Values:
    """P ÷ S, negative on export as the IEC has it; NaN where S is below `floor` (kVA)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(apparent >= floor, real / apparent, np.nan)


def line_current(apparent: Values, between_phases: Values) -> Values:
    """Amperes of a balanced three-phase load, from S (kVA) and the voltage between phases."""
    return _per_volt(apparent, np.sqrt(3) * between_phases)


def phase_current(apparent: Values, to_neutral: Values) -> Values:
    """Amperes of one phase from its S (kVA) and its voltage to neutral."""
    return _per_volt(apparent, to_neutral)


def _per_volt(apparent: Values, volts: Values) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(volts > 0, apparent * 1000 / volts, np.nan)


def signed_sum(values: Values, coefficients: Values) -> Values:
    """Σ coefficient × value: `values` (k, n), `coefficients` (k,); NaN where any value is missing."""
    total: Values = (coefficients[:, None] * values).sum(axis=0)
    return total


def uncertainty(values: Values, accuracies: Values) -> Values:
    """One σ of a signed sum of `values` (k, n), each meter's error being `accuracies` (k,) of its reading.

    Sums and differences are equally uncertain, so the difference of near equals is poor: 100 − 98 kW by
    meters of 0.5 % is 2 ± 0.7.
    """
    total: Values = np.sqrt(((accuracies[:, None] * values) ** 2).sum(axis=0))
    return total
