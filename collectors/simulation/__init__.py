"""A physical world per house, and simulators of devices that answer from it over their real protocols.

The simulator of a kind of device is the class ``Simulator`` of the module with the kind's name here.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

from collectors.simulation.world import World


class Simulator(Protocol):
    """A device that answers inside a ``with`` block, and how its driver is configured to read it."""

    @property
    def port(self) -> int: ...

    @property
    def config(self) -> dict[str, Any]: ...


def simulator(
    kind: str, world: World, *, port: int = 0, clock: Callable[[], float] | None = None
) -> AbstractContextManager[Simulator]:
    """The simulated device of a kind, showing ``world``. Raises ModuleNotFoundError for a kind without."""
    module = importlib.import_module(f"{__name__}.{kind}")
    more = {"clock": clock} if clock else {}
    return cast(AbstractContextManager[Simulator], module.Simulator(world, port=port, **more))
