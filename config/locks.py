"""File locks. The kernel frees them with their holder, however it ends: they say who lives; a pid cannot."""

import fcntl
import os
import weakref
from pathlib import Path


class FileLock:
    """An advisory lock on a file that is made when missing (0600). Not re-entrant, not for threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _open_locks.add(self)

    def share(self) -> None:
        """Wait until nobody holds the lock alone, then hold it together with others."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def take(self) -> None:
        """Wait until nobody holds the lock, then hold it alone."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def try_take(self) -> bool:
        """Hold the lock alone if nobody else has it now."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let go, and close the file. Releasing twice is harmless."""
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self._close()

    def write(self, text: str) -> None:
        """Leave a note for whoever finds the lock taken."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def is_current(self) -> bool:
        """False when the file was deleted or replaced: whoever locks the path now does not meet this lock."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_held(path: Path) -> bool:
    """Whether some process holds the lock of this file alone."""
    if not path.exists():
        return False
    probe = FileLock(path)
    try:
        fcntl.flock(probe._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        probe.release()


def _forget_in_child() -> None:
    # A lock belongs to the open file, which a forked child shares: an orphan would hold it after us.
    for lock in list(_open_locks):
        lock._close()


_open_locks: weakref.WeakSet[FileLock] = weakref.WeakSet()
os.register_at_fork(after_in_child=_forget_in_child)
