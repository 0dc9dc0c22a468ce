"""What of an upload was not taken, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

CLIP = 200  # characters of a foreign name that are repeated in an answer
MOST_ENTRIES = 1_000  # of one answer; beyond them refusals are told by code alone


class Code(StrEnum):
    """Why something was refused."""

    MALFORMED = "malformed"
    UNKNOWN_SOURCE = "unknown_source"
    DISABLED_SOURCE = "disabled_source"
    BAD_TIMESTAMPS = "bad_timestamps"
    TOO_MANY_FIELDS = "too_many_fields"
    BAD_LENGTH = "bad_length"
    BAD_VALUE = "bad_value"
    BAD_NAME = "bad_name"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    SEALED = "sealed"


MESSAGES = {
    Code.MALFORMED: "Not an object of the form the contract asks for.",
    Code.UNKNOWN_SOURCE: "The house has no device of this name.",
    Code.DISABLED_SOURCE: "The device or its house is disabled.",
    Code.BAD_TIMESTAMPS: "Timestamps must be whole numbers: Unix milliseconds UTC.",
    Code.TOO_MANY_FIELDS: "A batch may have 500 fields and states.",
    Code.BAD_LENGTH: "There must be as many values as timestamps.",
    Code.BAD_VALUE: "Fields are lists of finite numbers and nulls, states of texts, booleans and nulls; "
    "the data of an event is a JSON object. Text holds no NUL and no half of a surrogate pair.",
    Code.BAD_NAME: "Names are 1 to 200 printable characters, not beginning with “_” but for _quality and "
    "_length; types of events 1 to 64, and never STATE.",
    Code.TOO_OLD: "Stamped before 2000: are these seconds? Stamps are Unix milliseconds.",
    Code.IN_FUTURE: "Stamped more than 24 hours ahead of the server's clock.",
    Code.SEALED: "The raw data of this time is sealed: nothing can be added to it.",
}


class RefusedError(Exception):
    """A part of an upload cannot be taken."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value)
        self.code = code


class Refusal(NamedTuple):
    """What was refused: of which source, of which of its fields when it concerns one, and why."""

    source: str | None
    field: str | None
    code: Code


class Ledger:
    """Counts refusals, equal ones together."""

    def __init__(self) -> None:
        self._counts: Counter[Refusal] = Counter()

    def refuse(self, source: str | None, code: Code, *, count: int, field: str | None = None) -> None:
        """Note that `count` readings or events were refused."""
        refusal = Refusal(_clip(source), _clip(field), code)
        if refusal not in self._counts and len(self._counts) >= MOST_ENTRIES:
            refusal = Refusal(None, None, code)
        self._counts[refusal] += count

    def counts(self) -> Iterable[tuple[Refusal, int]]:
        """Each refusal and how often it came."""
        return self._counts.items()

    def entries(self) -> list[dict[str, str | int | None]]:
        """The refusals as the answer lists them."""
        return [_entry(refusal, count) for refusal, count in self._counts.items()]


def _entry(refusal: Refusal, count: int) -> dict[str, str | int | None]:
    field = {} if refusal.field is None else {"field": refusal.field}
    return {
        "source": refusal.source,
        **field,
        "code": refusal.code.value,
        "message": MESSAGES[refusal.code],
        "count": count,
    }


def _clip(name: str | None) -> str | None:
    return None if name is None else name[:CLIP]
