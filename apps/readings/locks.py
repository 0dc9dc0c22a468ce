"""One lock per source: who rewrites its days does so alone. Readers and uploads need none."""

from __future__ import annotations

from apps.readings.sql import fetch

_SPACE = 0x5744 << 40  # keeps our lock numbers apart from other users of advisory locks


def hold(source_id: int) -> None:
    """Wait for the source's lock, held to the end of the transaction: take it as the first statement."""
    fetch("SELECT pg_advisory_xact_lock(%(key)s::bigint)::text", {"key": _SPACE | source_id})


def try_hold(source_id: int) -> bool:
    """Take the source's lock to the end of the transaction, unless another has it."""
    rows = fetch("SELECT pg_try_advisory_xact_lock(%(key)s::bigint)", {"key": _SPACE | source_id})
    return bool(rows[0][0])
