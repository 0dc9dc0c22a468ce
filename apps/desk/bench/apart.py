"""Benches with servers and a folder of their own: they run again inside those, as another process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from apps.desk.bench.results import BenchError, Row
from config.processes import die_with_parent

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

INSIDE = "WATTDESK_BENCH_INSIDE"


def is_inside() -> bool:
    """Whether this process already has servers of its own."""
    return bool(os.environ.get(INSIDE))


def run_apart(bench: str, size: DataclassInstance) -> list[Row]:
    """The rows of `bench`, on servers and in a folder that are gone afterwards. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="wattdesk-bench-") as folder:
        file = Path(folder) / "rows.json"
        argv = [sys.executable, "manage.py", "bench", bench, "--json", str(file)]
        argv += [part for name, number in asdict(size).items() for part in (f"--{name}", str(number))]
        done = subprocess.run(
            argv,
            cwd=settings.BASE_DIR,
            env=_environment(Path(folder) / "var"),
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent(signal.SIGTERM),
            check=False,
        )
        if done.returncode or not file.exists():
            raise BenchError(f"The bench {bench} ended with status {done.returncode}.")
        return [Row(**one) for one in json.loads(file.read_text())]


def _environment(var: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    return kept | {"WATTDESK_VAR": str(var), INSIDE: "1", "WATTDESK_BOOTSTRAP": "off"}
