"""The time-series store: what other apps call.

Readings are appended, never updated; a source's UTC day is the unit of all work on them. Stamps are Unix
ms UTC, ranges half-open. See the docstring of each function; the tables are in `models`.
"""

from apps.readings.codec import CorruptPayload
from apps.readings.compaction import compact
from apps.readings.corrections import replace_day, withdraw
from apps.readings.hints import compact_soon
from apps.readings.ingest import Block, UnknownSource, Upload, append
from apps.readings.latest import latest
from apps.readings.query import extent, read
from apps.readings.samples import DAY, EMPTY, Samples
from apps.readings.working import sweep

__all__ = [
    "DAY",
    "EMPTY",
    "Block",
    "CorruptPayload",
    "Samples",
    "UnknownSource",
    "Upload",
    "append",
    "compact",
    "compact_soon",
    "extent",
    "latest",
    "read",
    "replace_day",
    "sweep",
    "withdraw",
]
