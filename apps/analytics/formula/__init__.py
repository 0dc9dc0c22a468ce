"""The formula language: arithmetic on the series and events of a house. Imports no Django.

* `parse(text)` gives a node, a tree of frozen dataclasses (`nodes`), or raises `FormulaError` with a message
  for people, the column (from 1) and what was expected there. `text(node)` writes it back.
* `references(node)` tells which series, events and items it names; `identifier(source, field)` and
  `event_identifier(…)` how to write such names, with quotes where they need them.
* `expand(node, items)` writes out `analytics.x` down to series and events; `cycle(name, items)` finds
  circles.
"""

from apps.analytics.formula.errors import FormulaError
from apps.analytics.formula.expansion import cycle, expand
from apps.analytics.formula.nodes import ARITY, CONSTANTS, Events, Field, Item, Node
from apps.analytics.formula.parsing import MAX_LENGTH, parse
from apps.analytics.formula.printing import event_identifier, identifier, text
from apps.analytics.formula.references import References, references

__all__ = [
    "ARITY",
    "CONSTANTS",
    "MAX_LENGTH",
    "Events",
    "Field",
    "FormulaError",
    "Item",
    "Node",
    "References",
    "cycle",
    "event_identifier",
    "expand",
    "identifier",
    "parse",
    "references",
    "text",
]
