"""What the page of a house refreshes: worked out once for all who look, and not at all while nothing changed.

A process remembers its last answer for each house, role and language. Each panel's pulse, one cheap query,
says whether something happened since; that, and the instant at which time alone changes something, decide
whether the answer still holds. What no pulse tells of, such as a new label, pages learn within a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.functional import cached_property
from django.utils.translation import get_language

from apps.accounts.models import User
from apps.desk import packing
from apps.houses.memory import Memory
from apps.houses.models import House
from apps.houses.panels import LiveData, panels
from apps.readings.times import milliseconds

AGE = timedelta(minutes=1)
SIZE = 256
_encode = DjangoJSONEncoder(allow_nan=False).encode


class Answer:
    """The panels' data, as JSON once somebody wants it."""

    def __init__(self, parts: Sequence[LiveData]) -> None:
        self._parts = parts
        self._language = get_language() or ""
        self._lock = Lock()

    @cached_property
    def etag(self) -> str:
        """A tag that differs whenever a part's version does."""
        versions = "\n".join([self._language, *(part.version for part in self._parts)])
        return f'"{hashlib.sha256(versions.encode()).hexdigest()[:32]}"'

    @property
    def until(self) -> int | None:
        """When time alone may change it (ms)."""
        return min((part.until for part in self._parts if part.until is not None), default=None)

    def body(self, now: datetime, *, packed: bool) -> bytes:
        """The JSON: `now` (ms), and the panels' own keys; as gzip if so wished."""
        with self._lock:  # others wait for the chart rather than draw it again
            rest = self._rest
        head = b'{"now": %d' % milliseconds(now)
        return rest.after(head) if packed else head + rest.plain

    @cached_property
    def _rest(self) -> packing.Tail:
        merged = {key: value for part in self._parts for key, value in part.data().items()}
        items = [f", {_encode(key)}: {_encode(value)}" for key, value in merged.items()]
        return packing.tail("".join([*items, "}"]).encode())


@dataclass(frozen=True)
class _Kept:
    pulse: str
    until: int | None
    answer: Answer

    def holds(self, pulse: str, now: datetime) -> bool:
        return pulse == self.pulse and (self.until is None or milliseconds(now) < self.until)


_memory: Memory[_Kept] = Memory(size=SIZE, age=AGE)
_turns = [Lock() for _ in range(64)]
"""Of those who look at a house when something arrives, one works it out, and the others wait for that."""


def of(*, house: House, user: User, now: datetime) -> Answer:
    """What `user` sees of `house`, remembered or worked out."""
    # Before anything is worked out, so that what happens meanwhile shows in the next pulse.
    pulse = repr([house.time_zone, *(panel.pulse(house, now) for panel in panels() if panel.live)])
    asked = (house.pk, user.role, get_language())
    kept = _memory.recall(asked, now)
    if kept is not None and kept.holds(pulse, now):
        return kept.answer
    with _turns[hash(asked) % len(_turns)]:
        return _worked_out(asked, pulse, house, user, now)


def _worked_out(asked: tuple[int, str, str], pulse: str, house: House, user: User, now: datetime) -> Answer:
    """The answer anew, unless who had the turn before worked it out."""
    kept = _memory.recall(asked, now)
    if kept is not None and kept.holds(pulse, now):
        return kept.answer
    answer = Answer([panel.live(house, user, now) for panel in panels() if panel.live])
    until = answer.until
    if kept is not None and kept.answer.etag == answer.etag:
        answer = kept.answer  # with its body, if anybody wanted that
    _memory.keep(asked, _Kept(pulse, until, answer), now)
    return answer


def forget() -> None:
    """Drop what this process remembers."""
    _memory.clear()
