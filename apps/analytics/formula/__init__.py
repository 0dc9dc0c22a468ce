"""The formula language: arithmetic on the series and events of a house. Imports no Django.

* `parse(text)` gives a node, a tree of frozen dataclasses (`nodes`), or raises `FormulaError` with a message
  for people, the column (from 1) and what was expected there. `text(node)` writes it back.
* `references(node)` tells which series, events and items it names; `identifier(source, field)` and
  `event_identifier(…)` how to write such names, with quotes where they need them.
* `expand(node, items)` writes out `analytics.x` down to series and events; `cycle(name, items)` finds
  circles.

Of an expanded formula, where `specs` tells the `Spec` (kind, quantity, unit, cadence) of each series by its
`Field`:

* `shape(node)`: a number, a signal or values at events; FormulaError where events meet signals without `avg`.
* `reach(node, specs)`: how far before and after an instant the result depends on readings, in ms and days.
* `measured(node, specs)`: quantity and unit of the result, and warnings of what is mixed.
* `Evaluation(node, inputs)`: its value at stamps (`points`), over stretches of time (`stretches`), and as a
  series to keep (`kept`), from what was loaded as `Signal` and `Sparse`.
"""

from apps.analytics.formula.errors import FormulaError
from apps.analytics.formula.evaluation import Evaluation, Inputs, Kept, Points
from apps.analytics.formula.expansion import cycle, expand
from apps.analytics.formula.nodes import ARITY, CONSTANTS, Events, Field, Item, Node
from apps.analytics.formula.parsing import MAX_LENGTH, parse
from apps.analytics.formula.printing import event_identifier, identifier, text
from apps.analytics.formula.reach import Reach, reach
from apps.analytics.formula.references import References, references
from apps.analytics.formula.shapes import Shape, shape
from apps.analytics.formula.signals import Signal, Sparse
from apps.analytics.formula.specs import Spec, Specs
from apps.analytics.formula.units import Measured, measured

__all__ = [
    "ARITY",
    "CONSTANTS",
    "MAX_LENGTH",
    "Evaluation",
    "Events",
    "Field",
    "FormulaError",
    "Inputs",
    "Item",
    "Kept",
    "Measured",
    "Node",
    "Points",
    "Reach",
    "References",
    "Shape",
    "Signal",
    "Sparse",
    "Spec",
    "Specs",
    "cycle",
    "event_identifier",
    "expand",
    "identifier",
    "measured",
    "parse",
    "reach",
    "references",
    "shape",
    "text",
]
