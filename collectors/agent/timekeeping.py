"""What time it is, on a computer that may not know.

A Raspberry Pi has no battery for its clock: without a network it starts where it was switched off, or in
1970. Until the server has said what time it is, stamps are provisional: they are kept with the difference
between the clock and the time since boot, which no later setting of the clock disturbs, and put right once
the time is known. Nothing is delivered with a provisional stamp.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

FAR_MS = 120_000
"""A clock that differs more from the server's is not believed."""
STEPPED_MS = 10_000
"""A clock that moved more against the time since boot was set."""
OLDEST_MS = 1_735_689_600_000
"""2025-01-01 UTC: a clock before it was never set."""

THIS_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Stamp(NamedTuple):
    """Unix ms UTC; ``basis`` says what the clock held for the moment of booting while that is unsure."""

    timestamp: int
    basis: int | None = None


def since_boot() -> float:
    """Seconds since this machine started, suspended or not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def boot_id() -> str:
    """What tells this start of the machine from all others."""
    try:
        return THIS_BOOT.read_text().strip()
    except OSError:
        return uuid4().hex


class Timekeeper:
    """The clock of this machine, believed once the server agrees and corrected where it does not."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, since_boot: Callable[[], float] = since_boot
    ) -> None:
        self._clock, self._since_boot = clock, since_boot
        self._booted: int | None = None

    @property
    def booted(self) -> int | None:
        """When the machine started, in Unix ms; None until the time is known."""
        return self._booted

    def wall(self) -> int:
        """This machine's own clock, right or wrong, in Unix ms."""
        return round(self._clock() * 1000)

    def now(self) -> int:
        """The best that is known, in Unix ms."""
        return self.place(self.wall()).timestamp

    def place(self, wall: int) -> Stamp:
        """A stamp for a recent moment, given in ms by this machine's own clock."""
        basis = self._basis()
        if self._booted is None:
            return Stamp(wall, basis)
        return Stamp(wall + self._booted - basis if abs(self._booted - basis) > STEPPED_MS else wall)

    def learn(self, date: str | None) -> None:
        """Take the ``Date`` of an answer that has just come from the server."""
        basis, server = self._basis(), self._server_basis(date)
        believed = self.wall() >= OLDEST_MS if server is None else abs(server - basis) <= FAR_MS
        if believed:
            self._booted = basis
        # The header is good to a second: following each of its answers would shuffle the stamps.
        elif server is not None and (self._booted is None or abs(server - self._booted) > STEPPED_MS):
            self._booted = server

    def _basis(self) -> int:
        return round((self._clock() - self._since_boot()) * 1000)

    def _server_basis(self, date: str | None) -> int | None:
        try:
            said = parsedate_to_datetime(date or "").timestamp() * 1000
        except (TypeError, ValueError):
            return None
        # The header leaves out the fraction of a second: half a one on average.
        return round(said + 500 - self._since_boot() * 1000) if said >= OLDEST_MS else None
