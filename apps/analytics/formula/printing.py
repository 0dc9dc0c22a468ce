"""From nodes back to text: as few brackets as the grammar allows, quotes where a name needs them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from apps.analytics.formula.nodes import (
    Call,
    Chain,
    Constant,
    Events,
    Field,
    Item,
    Negative,
    Node,
    Number,
    Power,
)

_PLAIN_FIELD = re.compile(r"[A-Za-z0-9_$:]+(\.[A-Za-z0-9_$:]+)*")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_$]+")
_SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(5)


def text(node: Node) -> str:
    """What to write for `node`: `parse` gives an equal node for it."""
    return _write(node, _SUM)


def identifier(source: str, field: str) -> str:
    """How formulas write a field of a source: `egauge.A.Solar`, `egauge."A.Grid Power"`."""
    return f"{source}.{field if _PLAIN_FIELD.fullmatch(field) else _quoted(field)}"


def event_identifier(sources: Iterable[str] = (), types: Iterable[str] = (), path: Iterable[str] = ()) -> str:
    """How formulas write events of some sources and types, and what their data holds at `path`."""
    names = [":".join(map(_name, several)) for several in (sources, types)]
    return f"events.{'::'.join(names)}{''.join('.' + _name(part) for part in path)}"


def _write(node: Node, least: int) -> str:
    """`node` as something that binds at least as tightly as `least`."""
    written, binds = _written(node)
    return written if binds >= least else f"({written})"


def _written(node: Node) -> tuple[str, int]:
    match node:
        case Number(value):
            return _number(value), _ATOM
        case Constant(name):
            return name, _ATOM
        case Field(source, field):
            return identifier(source, field), _ATOM
        case Item(name):
            return f"analytics.{name}", _ATOM
        case Events(sources, types, path):
            return event_identifier(sources, types, path), _ATOM
        case Call(function, arguments):
            return f"{function}({', '.join(map(text, arguments))})", _ATOM
        case Power(base, exponent):
            return f"{_write(base, _ATOM)}^{_write(exponent, _SIGNED)}", _POWER
        case Negative(operand):
            return f"-{_write(operand, _POWER)}", _SIGNED
    return _chain(node)


def _chain(chain: Chain) -> tuple[str, int]:
    is_sum = chain.rest[0][0] in "+-"
    binds, space = (_SUM, " ") if is_sum else (_PRODUCT, "")
    parts = [_write(chain.first, binds + 1)]
    for operator, operand in chain.rest:
        parts += [f"{space}{operator}{space}", _write(operand, binds + 1)]
    return "".join(parts), binds


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) and value < 1e15 else repr(value)


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
