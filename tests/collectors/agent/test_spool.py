import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from collectors.agent.spool import Loss, Row, Spool
from tests.collectors.agent.conftest import reading


def waiting(spool: Spool) -> list[Row]:
    return [entry.row for entry in spool.oldest(rows=10_000, size=10**9)]


def test_rows_come_out_in_the_order_in_which_they_came(spool: Spool) -> None:
    rows = [reading(n) for n in (3, 1, 2)]
    spool.add(rows[:2])
    spool.add(rows[2:])
    assert waiting(spool) == rows
    assert len(spool) == 3


def test_looking_takes_nothing_away_and_settling_does(spool: Spool) -> None:
    spool.add([reading(n) for n in range(5)])
    spool.settle(spool.oldest(rows=2, size=10**9))
    assert waiting(spool) == [reading(n) for n in (2, 3, 4)]
    assert len(spool) == 3


def test_an_upload_is_bounded_in_bytes_but_never_empty(spool: Spool) -> None:
    spool.add([Row("a", n, "reading", b"x" * 100) for n in range(10)])
    assert len(spool.oldest(rows=10, size=350)) == 3
    assert len(spool.oldest(rows=10, size=1)) == 1


def test_what_was_waiting_waits_after_a_restart(tmp_path: Path) -> None:
    first = Spool(tmp_path / "s")
    first.add([reading(1), reading(2)])
    first.close()
    again = Spool(tmp_path / "s")
    assert waiting(again) == [reading(1), reading(2)]
    assert len(again) == 2
    again.close()


def test_a_killed_process_leaves_all_that_add_returned_for(tmp_path: Path) -> None:
    code = """if True:
        import sys; from pathlib import Path; from collectors.agent.spool import Loss, Row, Spool
        spool = Spool(Path(sys.argv[1]))
        for n in range(100_000):
            spool.add([Row("a", n, "reading", b"{}")])
            print(n, flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "s"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    told = int([line for line in lines if line.endswith("\n")][-1])
    spool = Spool(tmp_path / "s")
    assert [row.timestamp for row in waiting(spool)][: told + 1] == list(range(told + 1))
    spool.close()


def test_files_are_nobody_elses(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        spool = Spool(tmp_path / "s")
        spool.add([reading(1)])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == {"s": 0o600, "s-wal": 0o600, "s-shm": 0o600}
    spool.close()


def test_beyond_the_bound_the_oldest_give_way_and_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "s", bound=3)
    for n in range(5):
        spool.add([reading(n)])
    assert waiting(spool) == [reading(n) for n in (2, 3, 4)]
    assert len(spool) == 3
    assert spool.loss(7) == Loss(1, 2, reading(0).timestamp, reading(1).timestamp, 7)
    assert caplog.text.count("the oldest are lost") == 1
    spool.close()


def test_dead_letters_are_kept_and_bounded(spool: Spool) -> None:
    spool.add([reading(1)])
    spool.settle(spool.oldest(rows=1, size=9), [("HTTP 400", b"first")])
    assert spool.dead() == [("HTTP 400", b"first")]
    for n in range(5):
        spool.settle([], [(f"{n}", b"x" * 5_000_000)])
    assert [reason for reason, _ in spool.dead()] == ["2", "3", "4"]
    assert len(spool) == 0


def test_a_write_that_fails_changes_nothing(spool: Spool) -> None:
    spool.add([reading(1)])
    with pytest.raises(sqlite3.Error):
        spool.add([reading(2), Row("a", 1, "reading", None)])  # type: ignore[arg-type]
    assert waiting(spool) == [reading(1)]
    spool.add([reading(3)])
    assert len(spool) == 2


def test_many_threads_add_at_once(spool: Spool) -> None:
    def work(source: str) -> None:
        for n in range(25):
            spool.add([reading(n, source)])

    threads = [threading.Thread(target=work, args=[f"s{k}"]) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waiting(spool)) == len(spool) == 100
