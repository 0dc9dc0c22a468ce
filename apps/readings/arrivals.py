"""What a day holds once arrivals are applied to it, in their order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from apps.readings.codec import Arrival, Tombstone, decode_tail
from apps.readings.samples import Samples, merge


def decode_rows(rows: Iterable[tuple[int, bytes]]) -> list[Arrival | Tombstone]:
    """What tail rows (id, payload) hold, in order of arrival."""
    arrivals: list[Arrival | Tombstone] = []
    for _, payload in sorted(rows):
        content = decode_tail(payload)
        arrivals += [content] if isinstance(content, Tombstone) else content
    return arrivals


def touched(arrivals: Iterable[Arrival | Tombstone]) -> set[int]:
    """The series that arrivals may change."""
    return {
        number
        for arrival in arrivals
        for number in (arrival.series if isinstance(arrival, Tombstone) else arrival.series.tolist())
    }


def settle(
    stored: Mapping[int, Samples], arrivals: Iterable[Arrival | Tombstone], series: Collection[int]
) -> dict[int, Samples]:
    """The samples of `series` after `arrivals`: any arrival beats what is stored, the last beats all."""
    parts = {number: [stored[number]] if number in stored else [] for number in series}
    for arrival in arrivals:
        if isinstance(arrival, Tombstone):
            _withdraw(parts, arrival)
        else:
            _add(parts, arrival)
    return {number: merge(own) for number, own in parts.items()}


def after(floor: int, arrivals: Iterable[Arrival | Tombstone]) -> tuple[list[Arrival | Tombstone], int]:
    """The arrivals without anything stamped before `floor`, and how many readings that left out."""
    kept: list[Arrival | Tombstone] = []
    dropped = 0
    for arrival in arrivals:
        if isinstance(arrival, Tombstone):
            kept.append(Tombstone(arrival.series, max(arrival.start, floor), arrival.end))
            continue
        fresh = arrival.stamps >= floor
        dropped += int(np.count_nonzero(~np.isnan(arrival.values[:, ~fresh])))
        kept.append(Arrival(arrival.series, arrival.stamps[fresh], arrival.values[:, fresh]))
    return kept, dropped


def _add(parts: dict[int, list[Samples]], arrival: Arrival) -> None:
    for number, values in zip(arrival.series.tolist(), arrival.values, strict=True):
        if number in parts:
            parts[number].append(Samples(arrival.stamps, values))


def _withdraw(parts: dict[int, list[Samples]], tombstone: Tombstone) -> None:
    for number in tombstone.series:
        if number in parts:
            parts[number] = [part.without(tombstone.start, tombstone.end) for part in parts[number]]
