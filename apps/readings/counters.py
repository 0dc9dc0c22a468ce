"""Counters: how much a register advanced through resets, dips, wraps, zeros and swaps of meters.

A register is *accepted* and the next sample is held against it. What follows from that:

* **It grew** (or stayed): it advanced by the difference, however long ago the accepted one was. Thirteen days
  offline are bridged by one advance.
* **It says exactly 0**: nothing. Meters answer 0 while they sleep (a total of 0 from midnight to 06:30); the
  morning's register is held against the evening's. Where a history begins with zeros there is no evening:
  the first register counts from zero if it is plausible by the rating or, without one, at most ten times
  what it next rises by; else it is where counting starts.
* **It fell**: it is not accepted, and neither is what follows, until it is clear what this is.
  - Back at or above the accepted register: a *dip* (215.7 → 215.6 → 215.7 advances by 0).
  - With a declared `modulus`, forward over its end: a *wrap*, if that is plausible by the rating (and less
    than half the modulus) or, without one, less than a tenth of the modulus.
  - Growing on from below, three rises over at least 15 minutes: if it began with no more than it rose by
    since, it began at zero: a *reset*, and what it shows is what it advanced by. Else it may be another meter
    or a damaged register: the step is *quarantined*. It counts nothing and covers no time until an operator
    decides, while growth from the lower register on counts.
  - Lower than ever without growing: pending, as long as it takes.
* **It grew by more than `rating` allows**, over the time since the accepted one but a quarter of an hour at
  least, as coarse registers move in jumps; or beyond the modulus; or back to the register before a fall that
  nobody decided on: pending likewise. Samples that fit again show it was a *spike*, which is forgotten;
  15 minutes of the same register quarantine the step.

Decisions of operators hold at the stamp of a sample, and need not wait for a quarantined step:

* **accept**: the register is right. A rise counts in full, a fall as a wrap where a modulus is declared, else
  as a reset: by what the register shows.
* **swap**: another meter, or another register, begins here. The step counts nothing and covers no time.
* **reject**: the sample is wrong. If it does not fit, the ones that go on from it are as wrong.

`advance` folds: feeding a history day by day, or sample by sample, gives what feeding it at once gives.
No Django here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any, NamedTuple

import numpy as np

from apps.readings.samples import Stamps, Values

HOUR_MS = 3_600_000
LEAST_MS = 900_000  # how long a run lasts that is believed, and the least time a rating is applied to
RISES = 3  # of a fallen register that is believed
YOUNG = 10.0  # times its next rise: what a meter without rating may show when it first shows anything
WRAPPED = 0.1  # of the modulus: the furthest an unrated register is thought to have run over its end
HALF = 0.5  # of the modulus: the furthest a rated one is


class Decision(StrEnum):
    """What an operator says of the sample at a stamp."""

    ACCEPT = "accept"
    REJECT = "reject"
    SWAP = "swap"


class Why(StrEnum):
    """What is wrong with a quarantined step."""

    LOWER = "lower"  # it fell, and grows on from there
    IMPOSSIBLE = "impossible"  # it grew by more than the rating allows
    OUTSIDE = "outside"  # it is beyond its modulus
    RETURNED = "returned"  # it is back where it was before a fall that nobody decided on


@dataclass(frozen=True)
class Settings:
    """`rating`: the largest increase in an hour, in the unit of the register (for kWh that is kW).

    `modulus`: the register that shows as 0 again, such as 65,536 × 0.1 kWh. None: not known. ValueError for
    what is not above zero.
    """

    rating: float | None = None
    modulus: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("rating", self.rating), ("modulus", self.modulus)):
            if value is not None and not 0 < value < inf:
                raise ValueError(f"A {name} is a number above zero, not {value}.")

    def most(self, lasting: int) -> float:
        """The largest increase in `lasting` ms."""
        return inf if self.rating is None else self.rating * max(lasting, LEAST_MS) / HOUR_MS


class Register(NamedTuple):
    stamp: int  # Unix ms
    value: float


class Run(NamedTuple):
    """Samples that do not fit the accepted register but may follow each other."""

    first: Register
    last: Register
    rises: int = 0  # less falls
    rejected: bool = False


@dataclass(frozen=True)
class State:
    """All that the samples after it need to know of those before.

    `zero`: the last stamp of zeros that nothing came before. `fallen`: the register before a quarantined fall
    and the one after it, until it is decided on or grown past.
    """

    accepted: Register | None = None
    zero: int | None = None
    run: Run | None = None
    fallen: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON that `from_json` reads; equal states give equal JSON."""
        own = {"accepted": self.accepted, "zero": self.zero, "run": self.run, "fallen": self.fallen}
        return {name: _plain(value) for name, value in own.items() if value is not None}

    @classmethod
    def from_json(cls, own: Mapping[str, Any]) -> State:
        """The state that `to_json` wrote. Raises TypeError or ValueError for anything else."""
        run = own.get("run")
        fallen = own.get("fallen")
        return cls(
            accepted=_register(own["accepted"]) if "accepted" in own else None,
            zero=own.get("zero"),
            run=Run(_register(run[0]), _register(run[1]), int(run[2]), bool(run[3])) if run else None,
            fallen=(float(fallen[0]), float(fallen[1])) if fallen else None,
        )


START = State()


class Step(NamedTuple):
    """A quarantined step: at `after.stamp` the register went from `before` to `after`."""

    before: Register
    after: Register
    why: Why


@dataclass(frozen=True, eq=False)
class Advances:
    """How the register advanced: by `increases` ≥ 0 from `begins` to `ends` (Unix ms). All are (n,).

    They are in order and do not overlap. Where one begins later than the one before it ends, nothing is
    known of the time between.
    """

    begins: Stamps
    ends: Stamps
    increases: Values

    def __len__(self) -> int:
        return len(self.begins)


@dataclass(frozen=True, eq=False)
class Advanced:
    """What samples gave. Only the first of `advances` may begin before the first of them.

    A step is told when it is clear that it is one, which may be on a later day than its stamp.
    """

    advances: Advances
    steps: tuple[Step, ...]
    state: State


def advance(
    state: State,
    stamps: Stamps,
    values: Values,
    settings: Settings = Settings(),
    decisions: Mapping[int, Decision] | None = None,
) -> Advanced:
    """Advance a counter by samples later than those `state` comes from (`START` for the first).

    `stamps` (n,) int64 ms increase strictly, `values` (n,) float64 are finite and in the register's unit.
    `decisions` are by stamp (ms); those at stamps without a sample mean nothing.
    """
    decided = _decided(stamps, decisions or {})
    heard = values != 0
    heard[decided] = True
    fold = _Fold(settings, state, zeros=stamps[~heard])
    if not heard.all():
        decided = (np.cumsum(heard)[decided] - 1).tolist()
        stamps, values = stamps[heard], values[heard]
    fold.run_over(stamps, values, decided, decisions or {})
    return fold.result()


def _decided(stamps: Stamps, decisions: Collection[int]) -> list[int]:
    """The places of the stamps that are decided on."""
    if not decisions or not stamps.size:
        return []
    wanted = np.array(sorted(decisions), np.int64)
    places = np.searchsorted(stamps, wanted)
    there = places < stamps.size
    places, wanted = places[there], wanted[there]
    return [int(place) for place in places[stamps[places] == wanted]]


class _Fold:
    """A walk over samples: whole stretches where the register only grows, one by one where it does not."""

    def __init__(self, settings: Settings, state: State, *, zeros: Stamps) -> None:
        self.settings, self.zeros = settings, zeros
        self.accepted, self.zero, self.waiting = state.accepted, state.zero, state.run
        self.fallen = state.fallen
        self.pieces: list[tuple[Stamps, Stamps, Values]] = []
        self.steps: list[Step] = []

    def result(self) -> Advanced:
        self._see_zeros(self.zeros.size)
        state = State(self.accepted, self.zero, self.waiting, self.fallen)
        return Advanced(_joined(self.pieces), tuple(self.steps), state)

    def run_over(
        self, stamps: Stamps, values: Values, decided: list[int], decisions: Mapping[int, Decision]
    ) -> None:
        troubles = self._troubles(stamps, values, decided)
        place = 0
        while place < stamps.size:
            stamp = int(stamps[place])
            self._take(Register(stamp, float(values[place])), decisions.get(stamp))
            place += 1
            if self.waiting is None and self.accepted is not None and self.accepted.stamp == stamp:
                place = self._grow(stamps, values, place, troubles)

    def _troubles(self, stamps: Stamps, values: Values, decided: list[int]) -> list[int]:
        """The places of samples that do not simply grow from the one before, and those decided on."""
        rises, most, modulus = np.diff(values), self.settings.rating, self.settings.modulus
        bad = rises < 0
        if most is not None:
            bad |= rises > most * np.maximum(np.diff(stamps), LEAST_MS) / HOUR_MS
        if modulus is not None:
            bad |= (rises >= (1 - WRAPPED) * modulus) | ((values[1:] >= modulus) & (values[:-1] < modulus))
        return sorted({*(np.flatnonzero(bad) + 1).tolist(), *decided, stamps.size})

    def _grow(self, stamps: Stamps, values: Values, place: int, troubles: list[int]) -> int:
        """Accept the samples from `place` on that simply grow; returns where the first is that may not."""
        end = troubles[bisect_left(troubles, place)]
        if self.fallen is not None:
            end = place + int(np.searchsorted(values[place:end], self.fallen[0]))
        if end > place:
            own = slice(place - 1, end)
            self.pieces.append((stamps[place - 1 : end - 1], stamps[place:end], np.diff(values[own])))
            self.accepted = Register(int(stamps[end - 1]), float(values[end - 1]))
        return end

    def _see_zeros(self, count: int) -> None:
        """Note the last of the first `count` zeros, where no register came before it."""
        if count and self.accepted is None and self.waiting is None:
            self.zero = int(self.zeros[count - 1])

    def _take(self, now: Register, decision: Decision | None) -> None:
        self._see_zeros(int(np.searchsorted(self.zeros, now.stamp)) if self.accepted is None else 0)
        if decision is not None:
            self._obey(now, decision)
        elif self.accepted is None:
            self._begin(now)
        elif self.waiting is None:
            self._step(self.accepted, now)
        else:
            self._wait(self.accepted, self.waiting, now)

    def _begin(self, now: Register) -> None:
        """The first register of all, perhaps after zeros."""
        if self.zero is None:
            self.accepted = now
        elif self.settings.rating is not None:
            self._begin_after(self.zero, now, young=0 <= now.value <= self._most(self.zero, now))
        elif self.waiting is None:
            self.waiting = Run(now, now)
        elif now.value < self.waiting.first.value:
            self.accepted, self.zero, self.waiting = self.waiting.first, None, None
            self._step(self.accepted, now)
        elif now.value > self.waiting.first.value:
            self._grow_up(self.zero, self.waiting.first, now)

    def _begin_after(self, zero: int, now: Register, *, young: bool) -> None:
        if young:
            self._emit(zero, now.stamp, now.value)
        self.accepted, self.zero = now, None

    def _grow_up(self, zero: int, first: Register, now: Register) -> None:
        """The first rise of the register that came out of zeros tells whether it is a young meter's."""
        if 0 <= first.value <= YOUNG * (now.value - first.value):
            self._emit(zero, now.stamp, now.value)
        else:
            self._emit(first.stamp, now.stamp, now.value - first.value)
        self._settle(now)
        self.zero = None

    def _step(self, accepted: Register, now: Register) -> None:
        increase = self._fit(accepted, now)
        if increase is None:
            self.waiting = Run(now, now)
            return
        self._emit(accepted.stamp, now.stamp, increase)
        self.accepted, self.waiting = now, None
        if self.fallen is not None and now.value >= self.fallen[0]:
            self.fallen = None

    def _wait(self, accepted: Register, run: Run, now: Register) -> None:
        above = run.first.value > accepted.value and now.value >= run.first.value
        if not above and self._fit(accepted, now) is not None:
            self._step(accepted, now)
        elif self._goes_on(run, now):
            self._go_on(accepted, run, now)
        else:
            self.waiting = Run(now, now)

    def _goes_on(self, run: Run, now: Register) -> bool:
        return now.value >= run.first.value and now.value - run.last.value <= self._most(run.last.stamp, now)

    def _go_on(self, accepted: Register, run: Run, now: Register) -> None:
        rises = run.rises + int(np.sign(now.value - run.last.value))
        run = run._replace(last=now, rises=max(rises, 0))
        self.waiting = run
        if run.rejected or now.stamp - run.first.stamp < LEAST_MS:
            return
        if run.first.value > accepted.value:
            self._quarantine(accepted, run, self._wrong(accepted, run.first))
        elif run.rises >= RISES and self._is_reset(accepted, run):
            self._emit(accepted.stamp, now.stamp, now.value)
            self._settle(now)
        elif run.rises >= RISES:
            self._quarantine(accepted, run, Why.LOWER)
            self.fallen = accepted.value, run.first.value

    def _is_reset(self, accepted: Register, run: Run) -> bool:
        shown = run.first.value
        grown = run.last.value - shown
        return 0 <= shown <= min(grown, self._most(accepted.stamp, run.first))

    def _quarantine(self, accepted: Register, run: Run, why: Why) -> None:
        self.steps.append(Step(accepted, run.first, why))
        self._emit(run.first.stamp, run.last.stamp, run.last.value - run.first.value)
        self._settle(run.last)

    def _wrong(self, accepted: Register, now: Register) -> Why:
        if self._is_outside(accepted, now):
            return Why.OUTSIDE
        return Why.RETURNED if self._is_back(accepted, now) else Why.IMPOSSIBLE

    def _fit(self, accepted: Register, now: Register) -> float | None:
        """The increase from `accepted` to `now`; None when `now` cannot be believed by itself."""
        rise, most, modulus = (
            now.value - accepted.value,
            self._most(accepted.stamp, now),
            self.settings.modulus,
        )
        if rise >= 0:
            doubted = self._is_outside(accepted, now) or self._is_back(accepted, now)
            back = modulus is not None and rise >= (1 - WRAPPED) * modulus
            return None if rise > most or doubted or back else rise
        if modulus is None or now.value < 0 or accepted.value >= modulus:
            return None
        around = (modulus - accepted.value) + now.value  # in this order no digits of 64 bits are lost
        part = WRAPPED if self.settings.rating is None else HALF
        return around if around <= min(most, part * modulus) else None

    def _is_outside(self, accepted: Register, now: Register) -> bool:
        return self.settings.modulus is not None and now.value >= self.settings.modulus > accepted.value

    def _is_back(self, accepted: Register, now: Register) -> bool:
        """Whether it jumps, by more than it grew since a fall, to where it was before that."""
        if self.fallen is None or now.value < self.fallen[0]:
            return False
        return now.value - accepted.value > accepted.value - self.fallen[1]

    def _obey(self, now: Register, decision: Decision) -> None:
        if decision is Decision.REJECT:
            self._reject(now)
            return
        if decision is Decision.ACCEPT and self.accepted is not None:
            self._emit(self.accepted.stamp, now.stamp, self._full(self.accepted, now))
        self._settle(now)
        self.zero = None

    def _reject(self, now: Register) -> None:
        if self.accepted is None or self._fit(self.accepted, now) is not None:
            return
        if self.waiting is None or not self._goes_on(self.waiting, now):
            self.waiting = Run(now, now, rejected=True)

    def _full(self, accepted: Register, now: Register) -> float:
        """The increase where an operator says that the register is right."""
        if now.value >= accepted.value:
            return now.value - accepted.value
        modulus = self.settings.modulus
        if modulus is not None and accepted.value < modulus:
            return max((modulus - accepted.value) + now.value, 0.0)
        return max(now.value, 0.0)

    def _most(self, since: int, now: Register) -> float:
        return self.settings.most(now.stamp - since)

    def _settle(self, now: Register) -> None:
        self.accepted, self.waiting, self.fallen = now, None, None

    def _emit(self, begin: int, end: int, increase: float) -> None:
        self.pieces.append((np.array([begin]), np.array([end]), np.array([increase])))


def _joined(pieces: list[tuple[Stamps, Stamps, Values]]) -> Advances:
    if not pieces:
        return Advances(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
    begins, ends, increases = (np.concatenate(own) for own in zip(*pieces, strict=True))
    return Advances(begins, ends, increases)


def _plain(value: Any) -> Any:
    """Named tuples as lists, as JSON gives them back."""
    return [_plain(own) for own in value] if isinstance(value, tuple) else value


def _register(own: Any) -> Register:
    return Register(int(own[0]), float(own[1]))
