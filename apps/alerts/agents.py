"""How an edge agent fares, by what it said of itself last. Pure; stamps in Unix ms."""

from __future__ import annotations

from apps.alerts.kinds import Verdict

OFFLINE_AFTER = 3 * 60_000
"""An agent says something every minute."""
FULL_FROM, FULL_UNTIL = 0.8, 0.7
OFF_FROM, OFF_UNTIL = 30_000, 20_000


def offline(last_seen: int, now: int) -> Verdict:
    """Whether the agent was not heard of for three minutes."""
    return Verdict.FAULTY if now - last_seen > OFFLINE_AFTER else Verdict.FINE


def spool(rows: int, bound: int) -> Verdict:
    """Whether 80 % of what the agent can keep waits to be sent; below 70 % it is fine again."""
    return _band(rows / bound if bound else 0.0, FULL_FROM, FULL_UNTIL)


def clock(offset: int) -> Verdict:
    """Whether the agent's clock is over 30 s off, either way; within 20 s it is fine again."""
    return _band(abs(offset), OFF_FROM + 1, OFF_UNTIL)


def _band(value: float, faulty_from: float, fine_until: float) -> Verdict:
    if value >= faulty_from:
        return Verdict.FAULTY
    return Verdict.DOUBTFUL if value >= fine_until else Verdict.FINE
