"""Answers to loggers. They look for a line `SUCCESS`, and delete their only copy when they see it. Pure.

Other answers make them keep the file: after 401, 403 and 404 they end the session, after 406 they go on with
the next file, and anything else they try again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 160
_WORD = re.compile("success", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """A status and the body, which is plain text. `seconds` is for Retry-After."""

    status: int
    text: str
    seconds: int | None = None

    @property
    def success(self) -> bool:
        """Whether the logger may delete what it sent."""
        return self.status == 200 and not self.text.startswith("FAILURE")

    @property
    def summary(self) -> str:
        """The text on one line, for people."""
        return " ".join(self.text.split())[:LONGEST]


class RefusedError(Exception):
    """Ends a request with a reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.summary)
        self.reply = reply


def success(notes: str = "") -> Reply:
    """What was sent is stored for good."""
    return Reply(200, f"\nSUCCESS\n{f'NOTES: {_said(notes)}' + chr(10) if notes else ''}")


def failure(status: int, reason: str, *, seconds: int | None = None) -> Reply:
    """It is not, for this reason."""
    return Reply(status, f"FAILURE: {_said(reason)}\n", seconds)


def content(text: str) -> Reply:
    """Something that the logger asked for, and nothing around it."""
    return Reply(200, text)


def _said(text: str) -> str:
    """One line that nobody takes for the word that deletes files."""
    return _WORD.sub("…", " ".join(text.split()))[:LONGEST]
