"""A simulated eGauge: the meter's HTTP interface on loopback, and the history that it would have given."""

import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from collectors.drivers.egauge.driver import LONGEST_GAP_S
from collectors.simulation.history import History
from collectors.simulation.serving import Found, HttpSimulator
from collectors.simulation.world import Energy, World


class Register(NamedTuple):
    """One register: the meter's type letter, the world's column that it adds up, and the factor to it."""

    type: str
    column: int
    factor: float


def _register(letter: str, column: str, factor: float = 1.0) -> Register:
    return Register(letter, Energy._fields.index(column), factor)


REGISTERS = {
    "A.Battery": _register("P", "battery"),
    "A.SubPanel": _register("P", "load", -0.4),
    "A.GridPower": _register("P", "grid", -1.0),
    "A.Solar": _register("P", "solar"),
    "A.EV": _register("P", "ev", -1.0),
    "A.L1_Voltage": _register("V", "l1_voltage"),
    "A.L2_Voltage": _register("V", "l2_voltage"),
    "A.L1_Frequency": _register("F", "frequency"),
    "A.L2_Frequency": _register("F", "frequency"),
    "A.Load": _register("P", "load", -1.0),
}
"""The registers in the meter's sign: export and generation positive, consumption negative."""


def registers(world: World, clocks: Sequence[int]) -> dict[str, list[int]]:
    """Cumulative registers in W·s, mV·s and mHz·s at ascending Unix seconds."""
    columns = world.integrals([clock * 1000 for clock in clocks])
    return {
        name: [round(scale * value) for value in columns[register.column]]
        for name, register in REGISTERS.items()
        for scale in [register.factor * 1000]
    }


def egauge_history(
    world: World,
    start: int,
    end: int,
    step: int,
    *,
    gaps: Sequence[tuple[int, int]] = (),
    t_sample: int = 5_000,
) -> History:
    """What the driver would have delivered, polling every ``step`` from ``start`` to before ``end``.

    All times in ms. ``gaps`` are [from, to) in which nothing answered. After the start and after a gap of
    more than five minutes the first reading covers ``t_sample``, as the driver has it.
    """
    timestamps: list[int] = []
    fields: dict[str, list[float]] = {name: [] for name in [*REGISTERS, "_length"]}
    for run in _runs(start, end, step, gaps, t_sample):
        clocks = [t // 1000 for t in run]
        seconds = [after - before for before, after in pairwise(clocks)]
        timestamps += run[1:]
        fields["_length"] += [1000 * s for s in seconds]
        for name, values in registers(world, clocks).items():
            fields[name] += [(b - a) / s / 1000 for (a, b), s in zip(pairwise(values), seconds, strict=True)]
    return History(timestamps, fields)


def _runs(
    start: int, end: int, step: int, gaps: Sequence[tuple[int, int]], t_sample: int
) -> Iterator[list[int]]:
    """The moments of polls, in runs without a long gap; each run has the second poll of a new start."""
    run: list[int] = []
    for t in range(start, end, step):
        if any(first <= t < last for first, last in gaps):
            continue
        if run and t - run[-1] > LONGEST_GAP_S * 1000:
            yield run
            run = []
        if not run:
            run = [t, t + t_sample]
        elif t > run[-1]:
            run.append(t)
    if run:
        yield run


class Simulator(HttpSimulator):
    """A meter that answers ``GET /cgi-bin/egauge?ins&tot`` on loopback, whole seconds like the real one."""

    def __init__(self, world: World, *, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._world, self._clock = world, clock
        super().__init__(port)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration with which the driver reads this meter."""
        return {"ip": f"127.0.0.1:{self.port}", "keys": [*REGISTERS, "ts"], "t_sample": 1.0}

    def get(self, request: BaseHTTPRequestHandler) -> Found:
        """The meter's answer; None for every other address."""
        if request.path != "/cgi-bin/egauge?ins&tot":
            return None
        return "text/xml", answer(self._world, int(self._clock())).encode()


def answer(world: World, clock: int) -> str:
    """The XML at a Unix second: totals and, as the means of the last second, instantaneous values."""
    columns = registers(world, [clock - 1, clock])
    rows = "".join(
        f"<r t={quoteattr(REGISTERS[name].type)} n={quoteattr(name)}><v>{now}</v><i>{now - before}</i></r>\n"
        for name, (before, now) in columns.items()
    )
    head = '<?xml version="1.0" encoding="UTF-8" ?>\n<data serial="0x51a7d35c">\n'
    return f"{head}<ts>{clock}</ts>\n{rows}</data>\n"
