"""What can be said of a number beside its value: the bits of the field `_quality` and of rollups. Pure."""

from __future__ import annotations

from enum import IntFlag


class Quality(IntFlag):
    """A bit mask; a bit keeps its meaning for ever, as days on disk hold it."""

    BRIDGED = 1
    """A register's increase over a gap, spread evenly over it: the total is measured, its course is not."""
