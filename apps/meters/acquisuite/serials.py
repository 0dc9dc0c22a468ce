"""Serial numbers of loggers: usually the Ethernet address, in many spellings. Pure."""

from __future__ import annotations

import re

_FORM = re.compile(r"\A[0-9A-Z]{4,32}\Z")


def normal(text: str) -> str:
    """The one spelling: capitals without separators; empty for what is no serial number."""
    spelt = re.sub(r"[\s:.\-]", "", text).upper() if len(text) <= 64 and text.isascii() else ""
    return spelt if _FORM.match(spelt) else ""
