"""Detectors of agents: offline, spool, clock."""

from __future__ import annotations

import pytest

from apps.alerts.agents import clock, offline, spool
from apps.alerts.kinds import Verdict

MINUTE = 60_000
FINE, DOUBTFUL, FAULTY = Verdict.FINE, Verdict.DOUBTFUL, Verdict.FAULTY


@pytest.mark.parametrize(("age", "verdict"), [(0, FINE), (3 * MINUTE, FINE), (3 * MINUTE + 1, FAULTY)])
def test_an_agent_is_offline_after_three_minutes(age: int, verdict: Verdict) -> None:
    assert offline(10**12, 10**12 + age) is verdict


@pytest.mark.parametrize(
    ("rows", "bound", "verdict"),
    [
        (0, 1000, FINE),
        (699, 1000, FINE),
        (700, 1000, DOUBTFUL),
        (799, 1000, DOUBTFUL),
        (800, 1000, FAULTY),
        (1000, 1000, FAULTY),
        (5, 0, FINE),
    ],
)
def test_a_spool_is_near_its_bound_from_80_percent_and_fine_below_70(
    rows: int, bound: int, verdict: Verdict
) -> None:
    assert spool(rows, bound) is verdict


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("offset", "verdict"),
    [(0, FINE), (19_999, FINE), (20_000, DOUBTFUL), (30_000, DOUBTFUL), (30_001, FAULTY), (10**10, FAULTY)],
)
def test_a_clock_is_off_beyond_30_seconds_and_fine_within_20(
    offset: int, sign: int, verdict: Verdict
) -> None:
    assert clock(sign * offset) is verdict
