"""How late what loggers bring usually is, from the record of their files."""

from __future__ import annotations

from collections.abc import Collection

from config.prepared import array, fetch

LEAST, MOST = 3, 100
"""So many files of a device teach something; so many of the newest are looked at."""
PART = 0.95

# The oldest row of a file waited longest. Files that repeat rows tell nothing: which of theirs is the oldest
# new row is not on record.
_USUAL = """
SELECT device.id, percentile_disc(%(part)s::float8) WITHIN GROUP (ORDER BY file.delay), count(*)
FROM unnest(%(devices)s::bigint[]) AS device (id)
CROSS JOIN LATERAL (
    SELECT (extract(epoch FROM received_at) * 1000)::bigint - first AS delay FROM meters_uploadfile
    WHERE device_id = device.id AND new > 0 AND same = 0 AND changed = 0 AND first IS NOT NULL
    ORDER BY received_at DESC LIMIT %(most)s::int
) AS file
GROUP BY device.id
"""


def usual(devices: Collection[int]) -> dict[int, int]:
    """By device: how old (ms) the oldest reading of a file is, when it comes, in 95 of 100 files.

    Devices of which fewer than three files are known are left out. A clock that is ahead makes no file early.
    """
    rows = fetch(_USUAL, {"devices": array(devices), "part": PART, "most": MOST})
    return {device: max(0, delay) for device, delay, count in rows if count >= LEAST}
