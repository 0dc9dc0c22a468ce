from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.locks import FileLock, is_held
from config.processes import wait_until
from tests.config.processes import kill, python

HOLDER = """
import sys
from pathlib import Path
from config.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.lock"


def test_a_lock_held_by_another_process_cannot_be_taken(path: Path) -> None:
    holder = python(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    assert is_held(path)
    assert not FileLock(path).try_take()

    holder.communicate()
    assert FileLock(path).try_take()


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    holder = python(HOLDER, path)
    assert holder.stdout is not None
    holder.stdout.readline()

    kill(holder.pid)

    assert wait_until(lambda: not is_held(path), seconds=5)
    holder.communicate()


def test_sharing_is_not_holding(path: Path) -> None:
    first, second = FileLock(path), FileLock(path)
    first.share()
    second.share()

    assert not is_held(path)
    assert not FileLock(path).try_take()


def test_a_forked_child_does_not_hold_the_lock_of_its_parent(path: Path) -> None:
    lock = FileLock(path)
    lock.take()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)  # until the parent is done
        os._exit(0)
    lock.release()

    taken = FileLock(path).try_take()

    os.write(writer, b".")
    os.waitpid(child, 0)
    assert taken


def test_a_lock_whose_file_is_gone_is_not_current(path: Path) -> None:
    lock = FileLock(path)
    assert lock.is_current()

    path.unlink()
    assert not lock.is_current()

    path.touch()
    assert not lock.is_current()


def test_the_file_is_private_and_carries_a_note(path: Path) -> None:
    lock = FileLock(path)
    lock.write("pid 1234, port 8000")
    lock.write("pid 5")

    assert path.read_text() == "pid 5"
    assert path.stat().st_mode & 0o777 == 0o600


def test_nobody_holds_a_lock_without_a_file(path: Path) -> None:
    assert not is_held(path)
    assert not path.exists()


def test_releasing_twice_is_harmless(path: Path) -> None:
    lock = FileLock(path)
    lock.release()
    lock.release()
