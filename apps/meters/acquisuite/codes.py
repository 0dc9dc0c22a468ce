"""The error column of a log: what its codes mean, and which of them are events. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GOOD = 0
NO_ANSWER = 139
CLOCK_CHANGED = 162
NEW_LAYOUT = frozenset({192, 193})
"""After these nobody knows whether the columns still mean what they did."""

EVENTS = {
    160: "LOG_STARTED",
    161: "LOG_STOPPED",
    162: "CLOCK_CHANGED",
    163: "LOG_RESTARTED",
    164: "LOG_CORRUPT",
    165: "METER_RESTARTED",
    192: "METER_TYPE_CHANGED",
    193: "METER_SERIAL_CHANGED",
}
"""Types of the events that rows with these codes are stored as."""

_EVENT_CODES = np.array(list(EVENTS))
_MEANINGS = {
    2: "no such file or device",
    3: "no such process",
    4: "interrupted",
    5: "input/output error",
    6: "no such device or address",
    9: "bad file descriptor",
    11: "try again",
    12: "out of memory",
    13: "permission denied",
    16: "device busy",
    19: "no such device",
    23: "too many open files on the logger",
    24: "too many open files",
    26: "file busy",
    28: "no space left on the logger",
    32: "broken connection",
    52: "invalid exchange",
    101: "network unreachable",
    110: "timed out",
    111: "connection refused",
    113: "no route to the meter",
    128: "error out of range",
    129: "illegal Modbus function",
    130: "illegal Modbus address",
    131: "illegal Modbus value",
    132: "illegal length of the answer",
    138: "Modbus/TCP gateway path unavailable",
    139: "the meter does not answer",
    140: "bad checksum",
    141: "another meter answered",
    142: "another master on the loop",
    143: "the probe is only partly good",
    160: "log started",
    161: "log stopped",
    162: "the logger's clock was set",
    163: "automatic restart",
    164: "log entry corrupt",
    165: "the meter restarted",
    192: "the meter's type differs from the configuration",
    193: "the meter's serial number changed",
}


def meaning(code: int) -> str:
    """What a code means, in a few words."""
    return _MEANINGS.get(code) or (f"system error {code}" if 0 < code < 128 else f"code {code}")


def are_faults(found: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each of `found` (n,), as `is_fault` says of one."""
    faults: NDArray[np.bool_] = (found != GOOD) & ~np.isin(found, _EVENT_CODES)
    return faults


def is_fault(code: int) -> bool:
    """Whether the row says that the meter was not read, rather than that something happened."""
    return code != GOOD and code not in EVENTS
