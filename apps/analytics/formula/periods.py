"""The period of `avg(x, period)`."""

from __future__ import annotations

from apps.analytics.formula.constants import constant
from apps.analytics.formula.errors import FormulaError
from apps.analytics.formula.nodes import Call, start

LONGEST_MS = 366 * 86_400_000


def period(call: Call) -> int:
    """Milliseconds of the bins of an `avg`.

    Raises FormulaError unless it is a whole number from 1 to LONGEST_MS and the same at any time.
    """
    node = call.arguments[1]
    value = constant(node)
    if value is None:
        raise FormulaError("The period of avg must be a constant: milliseconds, such as 60000.", start(node))
    if not 1 <= value <= LONGEST_MS:
        raise FormulaError(
            f"The period of avg is in milliseconds, from 1 to {LONGEST_MS} (366 days), not {value:.15g}.",
            start(node),
        )
    if value != round(value):
        raise FormulaError("The period of avg must be whole milliseconds.", start(node))
    return round(value)
