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


class TestLoss:
    def test_it_is_counted_over_restarts_until_it_was_told(self, tmp_path: Path) -> None:
        for n in range(3):
            spool = Spool(tmp_path / "s", bound=2)
            spool.add([reading(2 * n), reading(2 * n + 1)])
            spool.close()
        spool = Spool(tmp_path / "s", bound=2)
        loss = spool.loss(9)
        assert loss == Loss(1, 4, reading(0).timestamp, reading(3).timestamp, 9)
        spool.settle([], loss=loss)
        assert spool.loss(10) is None
        spool.close()

    def test_while_it_is_being_told_another_begins(self, tmp_path: Path) -> None:
        spool = Spool(tmp_path / "s", bound=1)
        spool.add([reading(1), reading(2)])
        first = spool.loss(9)
        assert first
        spool.add([reading(3)])
        assert spool.loss(10) == first
        spool.settle([], loss=first)
        assert spool.loss(11) == Loss(2, 1, reading(2).timestamp, reading(2).timestamp, 11)
        spool.close()

    def test_what_is_being_delivered_does_not_give_way(self, tmp_path: Path) -> None:
        spool = Spool(tmp_path / "s", bound=2)
        spool.add([reading(1), reading(2)])
        with spool.in_flight():
            entries = spool.oldest(rows=10, size=10**9)
            spool.add([reading(3)])
            assert len(spool) == 3
            spool.settle(entries)
        assert waiting(spool) == [reading(3)]
        assert spool.loss(9) is None
        with spool.in_flight():
            spool.add([reading(4), reading(5)])
        assert waiting(spool) == [reading(4), reading(5)]
        assert spool.loss(9) == Loss(1, 1, reading(3).timestamp, reading(3).timestamp, 9)
        spool.close()

    def test_stamps_of_a_clock_that_was_never_set_say_nothing(self, tmp_path: Path) -> None:
        spool = Spool(tmp_path / "s", bound=1)
        spool.add([Row("a", 5_000, "reading", b"{}", 1), Row("a", 6_000, "reading", b"{}", 1)])
        assert spool.loss(9) == Loss(1, 1, None, None, 9)
        spool.add([reading(1), reading(2)])
        spool.close()


class TestMemory:
    def test_rows_and_memory_are_kept_together_or_not_at_all(self, spool: Spool) -> None:
        spool.add([reading(1)], {"driver/a": b"1"})
        with pytest.raises(sqlite3.IntegrityError):
            spool.add([Row("a", 1, "reading", None)], {"driver/a": b"2"})  # type: ignore[arg-type]
        assert spool.recall("driver/a") == b"1"
        assert spool.recall("driver/b") is None

    def test_it_is_there_after_a_restart(self, tmp_path: Path) -> None:
        first = Spool(tmp_path / "s")
        first.add([], {"driver/a": b"1"})
        first.add([], {"driver/a": b"2"})
        first.close()
        again = Spool(tmp_path / "s")
        assert again.recall("driver/a") == b"2"
        again.close()


class TestDisk:
    def test_while_it_is_full_rows_and_memory_wait(
        self, spool: Spool, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool.add([reading(0)])
        limit(spool, pages=1)
        big = [Row("a", n, "reading", b"x" * 5_000) for n in range(20)]
        for row in big:
            spool.add([row], {"driver/a": b"%d" % row.timestamp})
        assert len(spool) == 21
        assert spool.recall("driver/a") == b"19"
        limit(spool, pages=10**6)
        spool.add([reading(1)])
        assert waiting(spool) == [reading(0), *big, reading(1)]
        assert spool.recall("driver/a") == b"19"
        assert caplog.text.count("cannot be kept on disk") == 1

    def test_what_memory_cannot_hold_is_counted_as_lost(
        self, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("collectors.agent.spool.MOST_UNWRITTEN", 5)
        limit(spool, pages=1)
        big = [Row("a", n, "reading", b"x" * 90_000) for n in range(8)]
        for row in big:
            spool.add([row])
        limit(spool, pages=10**6)
        spool.add([])
        assert waiting(spool) == big[-5:]
        assert spool.loss(9) == Loss(1, 3, None, None, 9)


def limit(spool: Spool, pages: int) -> None:
    """Let the file grow no more, as on a full disk: SQLite refuses with the very same error."""
    spool._db.execute(f"PRAGMA max_page_count={pages}")


class TestDamage:
    @pytest.mark.parametrize(
        "content", [b"", b"no database at all, but long enough" * 200, b"SQLite format 3\0"]
    )
    def test_what_is_no_database_is_put_aside(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "s").write_bytes(content)
        spool = Spool(tmp_path / "s")
        spool.add([reading(1)])
        assert waiting(spool) == [reading(1)]
        assert (spool.tell_damage() is None) == (content == b"")
        assert spool.tell_damage() is None
        assert (tmp_path / "s.damaged").exists() == (content != b"")
        spool.close()

    def test_what_can_still_be_read_of_it_goes_on(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        rows = filled(tmp_path / "s")
        spoil(tmp_path / "s")
        spool = Spool(tmp_path / "s")
        saved = waiting(spool)
        assert 0 < len(saved) < len(rows)
        assert saved == [row for row in rows if row in saved]
        assert f"{len(saved)} rows of it were saved" in str(spool.tell_damage())
        assert spool.recall("driver/a") == b"7"
        assert len(spool) == len(saved)
        assert "damaged" in caplog.text
        spool.close()

    def test_damage_in_the_midst_of_work_is_mended_as_well(self, tmp_path: Path) -> None:
        filled(tmp_path / "s")
        spool = Spool(tmp_path / "s")
        spoil(tmp_path / "s")
        spool._db.execute("PRAGMA cache_size=0")
        entries = spool.oldest(rows=10_000, size=10**9)
        spool.settle(entries)
        spool.add([reading(1)])
        assert waiting(spool)[-1] == reading(1)
        assert spool.tell_damage()
        spool.close()

    def test_there_is_never_more_than_one_put_aside(self, tmp_path: Path) -> None:
        for _ in range(3):
            (tmp_path / "s").write_bytes(b"nonsense" * 1_000)
            Spool(tmp_path / "s").close()
        assert {path.name for path in tmp_path.iterdir()} == {"s", "s.damaged"}


def filled(path: Path) -> list[Row]:
    """The rows of a spool of some size at this place."""
    spool = Spool(path)
    rows = [Row("a", n, "reading", b'{"fields":{}}' + b" " * 500) for n in range(2_000)]
    spool.add(rows, {"driver/a": b"7"})
    spool.close()
    return rows


def spoil(path: Path) -> None:
    """Overwrite a piece near the end of the file, as a worn-out card does."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size * 3 // 4)
        file.write(b"\xff" * 40_000)
