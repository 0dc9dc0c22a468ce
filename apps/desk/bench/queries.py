"""The same numbers from a table with a row for each reading, in SQL as a careful person would write it.

All stamps and bins are ms. Every query answers (stamp, value …) in order of time and is read by binary COPY.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.desk.bench.rows import Database

_HEADER = 19  # of a binary COPY: signature, flags, length of the extension
_TRAILER = 2

HOURLY_MEAN = """
SELECT (stamp / 3600000) * 3600000, avg(value) FROM bench_row
WHERE series = {a} AND stamp >= {start} AND stamp < {end}
GROUP BY 1 ORDER BY 1
"""

# Lines between readings at most {gap} apart, cut where an hour ends: a piece for one hour or for two.
ROLLUP = """
WITH readings AS (
    SELECT stamp, value, stamp / 3600000 AS hour,
        lead(stamp) OVER along AS next, lead(value) OVER along AS next_value,
        lag(stamp) OVER along / 3600000 AS hour_before, lead(stamp) OVER along / 3600000 AS hour_after
    FROM bench_row WHERE series = {a} AND stamp >= {start} AND stamp < {end}
    WINDOW along AS (ORDER BY stamp)
), lines AS (
    SELECT *, hour_after * 3600000 AS edge,
        value + (next_value - value) * (hour_after * 3600000 - stamp) / (next - stamp) AS edge_value
    FROM readings WHERE next - stamp <= {gap}
), pieces AS (
    SELECT hour, (value + next_value) * (next - stamp) AS area, next - stamp AS lasting
    FROM lines WHERE hour = hour_after
    UNION ALL
    SELECT hour, (value + edge_value) * (edge - stamp), edge - stamp FROM lines WHERE hour < hour_after
    UNION ALL
    SELECT hour_after, (edge_value + next_value) * (next - edge), next - edge
    FROM lines WHERE hour < hour_after AND next > edge
), covered AS (
    SELECT hour, sum(area) / 7200000 AS integral, sum(lasting)::float8 / 1000 AS covered
    FROM pieces GROUP BY hour
), counted AS (
    SELECT hour, count(*)::float8 AS count, sum(value) AS sum, min(value) AS min, max(value) AS max,
        max(value) FILTER (WHERE hour_before IS DISTINCT FROM hour) AS first,
        max(value) FILTER (WHERE hour_after IS DISTINCT FROM hour) AS last
    FROM readings GROUP BY hour
)
SELECT hour * 3600000, count, sum, min, max, first, last, covered, integral
FROM counted JOIN covered USING (hour) ORDER BY hour
"""

FORMULA_BINS = """
WITH bins AS (
    SELECT series, avg(value) AS value,
        (extract(epoch FROM date_bin('10 s', to_timestamp(stamp / 1000.0), 'epoch')) * 1000)::bigint AS stamp
    FROM bench_row WHERE series IN ({a}, {b}, {c}) AND stamp >= {start} AND stamp < {end}
    GROUP BY 1, 3
)
SELECT a.stamp, -(a.value / 1000) + b.value / 1000 - c.value / 1000
FROM bins AS a JOIN bins AS b USING (stamp) JOIN bins AS c USING (stamp)
WHERE a.series = {a} AND b.series = {b} AND c.series = {c}
ORDER BY 1
"""

# Each series' newest reading at every stamp of any of them, if it is at most {gap} old.
FORMULA_AS_OF = """
WITH stamps AS (
    SELECT stamp, max(value) FILTER (WHERE series = {a}) AS a, max(value) FILTER (WHERE series = {b}) AS b,
        max(value) FILTER (WHERE series = {c}) AS c
    FROM bench_row WHERE series IN ({a}, {b}, {c}) AND stamp >= {start} AND stamp < {end}
    GROUP BY stamp
), runs AS (
    SELECT *, count(a) OVER along AS a_run, count(b) OVER along AS b_run, count(c) OVER along AS c_run
    FROM stamps WINDOW along AS (ORDER BY stamp)
), held AS (
    SELECT stamp,
        first_value(a) OVER by_a AS a, first_value(stamp) OVER by_a AS a_at,
        first_value(b) OVER by_b AS b, first_value(stamp) OVER by_b AS b_at,
        first_value(c) OVER by_c AS c, first_value(stamp) OVER by_c AS c_at
    FROM runs
    WINDOW by_a AS (PARTITION BY a_run ORDER BY stamp), by_b AS (PARTITION BY b_run ORDER BY stamp),
        by_c AS (PARTITION BY c_run ORDER BY stamp)
)
SELECT stamp, -(a / 1000) + b / 1000 - c / 1000 FROM held
WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL
    AND stamp <= {until} AND stamp - a_at < {gap} AND stamp - b_at < {gap} AND stamp - c_at < {gap}
ORDER BY stamp
"""


def answer(database: Database, query: str, columns: int, **asked: int) -> list[NDArray[np.generic]]:
    """The stamps and the `columns` columns of numbers that a query answers."""
    copy = f"COPY ({query.format(**asked)}) TO STDOUT (FORMAT binary)"
    with database.cursor().copy(copy.encode()) as stream:
        content = b"".join(stream)
    numbers = [
        (f"{name}{place}", kind) for place in range(columns) for name, kind in (("n", ">i4"), ("v", ">f8"))
    ]
    tuples = np.frombuffer(
        content[_HEADER:-_TRAILER], [("n", ">i2"), ("s", ">i4"), ("stamp", ">i8"), *numbers]
    )
    values = [tuples[f"v{place}"].astype(np.float64) for place in range(columns)]
    return [tuples["stamp"].astype(np.int64), *values]
