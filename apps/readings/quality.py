"""What can be said of a number beside its value: the bits of the field `_quality` and of rollups. Pure."""

from __future__ import annotations

from enum import IntFlag


class Quality(IntFlag):
    """A bit mask; a bit keeps its meaning for ever, as days on disk hold it."""

    BRIDGED = 1
    """A register's increase over a gap, spread evenly over it: the total is measured, its course is not."""

    # Of derived meters: the bits say it of all that is stored at a stamp.
    Q_FROM_S = 16
    """Reactive power of an input is √(S² − P²): distortion counts in."""
    Q_ASSUMED = 32
    """The sign of an input's reactive power, or that an inverter near unity supplies none, is assumed."""
    V_SINGLE = 64
    """A voltage is that of the one meter that told any."""
    V_MISMATCH = 128
    """The meters' voltages differ by more than 3 %: it is the reference meter's."""
    OTHER_BUS = 256
    """The meters' voltages differ like two sides of a transformer, so that the bus's is not known."""
    INST_INTERP = 512
    """Power of an input is a straight line between two instants: the sun may have changed faster."""
    NEG_LOAD = 1024
    """The load is below zero."""
    NEG_SOLAR = 2048
    """The solar power is below what its inverters draw at night."""
