"""Files of the agent: nobody else's to read, and never half written."""

import fcntl
import os
from pathlib import Path


class LockedError(Exception):
    """Another agent works in the same state folder."""


def private_folder(path: Path) -> Path:
    """The folder, made where missing, for this user alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def claim(folder: Path) -> int:
    """Hold the folder until this process ends; two agents would deliver the same rows. Raises LockedError."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LockedError(f"Another agent is already working in {folder}.") from error
    return descriptor


def create_private(path: Path) -> None:
    """Make sure that the file is there and only this user's, before anything is put into it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)


def replace(path: Path, content: bytes) -> None:
    """Put the content in place as a whole, so that a power cut leaves either the old or the new."""
    fresh = path.with_suffix(".new")
    create_private(fresh)
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
