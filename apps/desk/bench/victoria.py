"""VictoriaMetrics as a peer, where Debian's package `victoria-metrics` is installed."""

from __future__ import annotations

import http.client
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import numpy as np

from apps.desk.bench.data import Feed, Stamps, Values
from apps.desk.bench.results import BenchError
from apps.desk.bench.serving import Server, serving
from config.embedded import free_port

NAMES = ("victoria-metrics", "victoria-metrics-prod")
IMPORT = "/api/v1/import"


class Line(msgspec.Struct):
    """One series in its columnar JSON, in and out."""

    metric: dict[str, str]
    values: list[float]
    timestamps: list[int]


_decode = msgspec.json.Decoder(Line).decode


@dataclass(frozen=True)
class Victoria:
    """A running VictoriaMetrics and the folder of its data."""

    server: Server
    folder: Path

    def load(self, feed: Feed) -> None:
        """Take in all readings of a feed."""
        self._ask("POST", IMPORT, body([feed]))

    def settle(self) -> None:
        """Make what was taken in readable, and merge it as far as it goes."""
        for step in ("force_flush", "force_merge", "force_flush"):
            self._ask("GET", f"/internal/{step}")

    def read(self, source: str, field: str, start: int, end: int) -> tuple[Stamps, Values]:
        """Stamps and values of a series in [start, end), by its export of JSON lines."""
        wanted = f'{{__name__="reading",source="{source}",field="{field}"}}'
        query = urlencode({"match[]": wanted, "start": start / 1000, "end": (end - 1) / 1000})
        lines = [_decode(line) for line in self._ask("GET", f"/api/v1/export?{query}").splitlines()]
        stamps = np.array([stamp for line in lines for stamp in line.timestamps], np.int64)
        values = np.array([value for line in lines for value in line.values], np.float64)
        return stamps, values

    def hourly_means(self, source: str, field: str, start: int, end: int) -> tuple[Stamps, Values]:
        """Means of the readings of each hour of [start, end) ms, by a range query; stamps are hours' starts.

        Its windows are (start, end] of an hour: readings must not be stamped at full hours.
        """
        wanted = f'avg_over_time(reading{{source="{source}",field="{field}"}}[1h])'
        query = urlencode({"query": wanted, "start": start / 1000 + 3600, "end": end / 1000, "step": "1h"})
        answer = msgspec.json.decode(self._ask("GET", f"/api/v1/query_range?{query}&nocache=1"))
        points = answer["data"]["result"][0]["values"]
        stamps = np.array([round(stamp) for stamp, _ in points], np.int64) * 1000 - 3_600_000
        return stamps, np.array([float(value) for _, value in points], np.float64)

    def size(self) -> int:
        """Bytes of its data, without its index of labels."""
        return sum(path.stat().st_size for path in (self.folder / "data").rglob("*") if path.is_file())

    def _ask(self, method: str, path: str, content: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        connection.request(method, path, content)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if response.status >= 300:
            raise BenchError(f"VictoriaMetrics answered {response.status}: {answer[:200]!r}")
        return answer


def body(feeds: Sequence[Feed]) -> bytes:
    """Readings as VictoriaMetrics takes them in."""
    lines = [
        Line({"__name__": "reading", "source": feed.source, "field": field}, values.tolist(), stamps)
        for feed in feeds
        for stamps in [feed.stamps.tolist()]
        for field, values in zip(feed.fields, feed.values, strict=True)
    ]
    return b"\n".join(map(msgspec.json.encode, lines)) + b"\n"


def program() -> str | None:
    """Its program, if this machine has it."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running() -> Iterator[Victoria | None]:
    """An empty VictoriaMetrics on loopback, in a temporary folder; None where it is not installed."""
    path = program()
    if path is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="wattdesk-bench-") as folder:
        port = free_port()
        argv = [
            path,
            f"-storageDataPath={folder}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=100y",
            "-loggerLevel=ERROR",
        ]
        with serving(argv, port, environment={}, path="/health") as server:
            yield Victoria(server, Path(folder))
