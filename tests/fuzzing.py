"""How many made-up inputs a test tries: few enough for every run, or WATTDESK_NIGHTLY=1 for a long one."""

from __future__ import annotations

import os

NIGHTLY = os.environ.get("WATTDESK_NIGHTLY") == "1"


def examples(each_run: int, *, nightly: int) -> int:
    """The number for hypothesis' `max_examples`."""
    return nightly if NIGHTLY else each_run
