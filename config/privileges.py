"""Whom the servers run as. PostgreSQL refuses to be root, so root hands it to a user who owns nothing."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.processes import die_with_parent, libc

_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2


class PrivilegeError(Exception):
    """The servers cannot run as anybody; the text says what to do."""


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@dataclass(frozen=True)
class Owner:
    """A user to run a server as; `uid` None means whoever we are.

    `capability` is the one thing kept of root's powers, where a closed folder above the project would hide
    the servers' own files from them.
    """

    uid: int | None = None
    gid: int | None = None
    capability: int | None = None

    def give(self, path: Path) -> None:
        """Make a file or folder the owner's."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def prepare_child(self, death_signal: signal.Signals) -> Callable[[], None]:
        """A `preexec_fn` that becomes this user and then ties the child's life to its parent's."""
        tie = die_with_parent(death_signal)

        def prepare() -> None:
            self._become()
            tie()

        return prepare

    def _become(self) -> None:
        if self.uid is None or self.gid is None:
            return
        if self.capability is not None:
            # Not PR_SET_KEEPCAPS: access(2) would then ignore the capability, and initdb asks by access(2).
            _check(libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
        os.setgroups([])
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        if self.capability is not None:
            _keep_only(self.capability)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _keep_only(capability: int) -> None:
    bit = 1 << capability
    sets = (_Sets * 2)(_Sets(bit, bit, bit), _Sets(0, 0, 0))
    _check(libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), ctypes.byref(sets)))
    _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def choose_owner(*, program: Path, folder: Path) -> Owner:
    """Who may run `program` with data below `folder`: ourselves, or as root the least powerful user who can.

    Raises PrivilegeError with a sentence when nobody can.
    """
    if os.geteuid() != 0:
        return Owner()
    account = _account()
    plain = Owner(account.pw_uid, account.pw_gid)
    if not _can_run(plain, ["true"], Path("/")):
        raise PrivilegeError(
            "PostgreSQL refuses to run as root, and this root may not change to another user. "
            "Run the command as an ordinary user, or set DATABASE_URL and REDIS_URL."
        )
    for owner in _candidates(plain):
        if _can_run(owner, [str(program), "--version"], folder):
            return owner
    raise PrivilegeError(
        f"The user {account.pw_name}, who runs PostgreSQL for root, cannot reach {folder}. "
        "Move the project out of the closed folder, or run the command as an ordinary user."
    )


def _candidates(plain: Owner) -> list[Owner]:
    if sys.platform != "linux":
        return [plain]
    # A container's default set lacks the first, narrower capability.
    kept = (None, _CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE)
    return [Owner(plain.uid, plain.gid, capability) for capability in kept]


def _account() -> pwd.struct_passwd:
    for name in (
        "nobody",
        "postgres",
    ):  # `postgres` may own a real cluster of this machine, so it comes second
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PrivilegeError(
        "PostgreSQL refuses to run as root, and there is no user nobody. Run as an ordinary user."
    )


def _can_run(owner: Owner, command: list[str], folder: Path) -> bool:
    """Try it for real: a check of permission bits would not know about capabilities, mounts or policies."""
    become = owner.prepare_child(signal.SIGKILL)

    def prepare() -> None:
        become()
        os.chdir(folder)

    try:
        done = subprocess.run(command, preexec_fn=prepare, capture_output=True, timeout=20)
    except (subprocess.SubprocessError, OSError):
        return False
    return done.returncode == 0
