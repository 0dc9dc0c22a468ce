from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import privileges
from config.privileges import Owner, PrivilegeError, choose_owner
from config.processes import is_alive, wait_until
from tests.config.processes import kill, python

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
PROGRAM = Path("/bin/true")
CAT = "/bin/cat"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def closed_folder(open_folder: Path) -> Path:
    folder = open_folder / "closed" / "inside"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    return folder


def status_of_child(owner: Owner) -> dict[str, str]:
    """What the kernel says of a program started as `owner`."""
    text = subprocess.run(
        [CAT, "/proc/self/status"],
        preexec_fn=owner.prepare_child(signal.SIGTERM),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return dict(line.split(":\t", 1) for line in text.splitlines())


def reads(owner: Owner, path: Path) -> bool:
    become = owner.prepare_child(signal.SIGTERM)
    return subprocess.run([CAT, path], preexec_fn=become, capture_output=True).returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="needs an ordinary user")
def test_an_ordinary_user_runs_the_servers_itself(open_folder: Path) -> None:
    assert choose_owner(program=PROGRAM, folder=open_folder) == Owner()


@as_root
def test_root_becomes_a_user_without_any_power(open_folder: Path) -> None:
    owner = choose_owner(program=PROGRAM, folder=open_folder)
    status = status_of_child(owner)

    assert owner.capability is None
    assert status["Uid"].split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4
    assert not status["Groups"].strip()
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


@as_root
def test_behind_a_closed_folder_root_keeps_one_capability(closed_folder: Path) -> None:
    owner = choose_owner(program=PROGRAM, folder=closed_folder)
    status = status_of_child(owner)

    assert owner.capability is not None
    assert status["Uid"].split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name], 16) == 1 << owner.capability


@as_root
def test_that_capability_reads_what_the_closed_folder_hides(closed_folder: Path) -> None:
    secret = closed_folder / "file"
    secret.write_text("text")
    secret.chmod(0o600)
    kept = choose_owner(program=PROGRAM, folder=closed_folder)

    assert reads(kept, secret)
    assert not reads(Owner(kept.uid, kept.gid), secret)


@as_root
def test_no_capability_left_to_keep_is_a_sentence(
    closed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privileges, "_candidates", lambda plain: [plain])

    with pytest.raises(PrivilegeError, match="Move the project out of the closed folder"):
        choose_owner(program=PROGRAM, folder=closed_folder)


@as_root
def test_root_that_may_not_become_another_is_told_so(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*ids: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setresuid", refuse)

    with pytest.raises(PrivilegeError, match="this root may not change to another user"):
        choose_owner(program=PROGRAM, folder=open_folder)


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import signal, subprocess, sys\n"
        "from config.privileges import Owner\n"
        "child = subprocess.Popen(['/bin/sleep', '60'], preexec_fn=Owner().prepare_child(signal.SIGTERM))\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = python(script)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())

    kill(parent.pid)
    parent.communicate()

    assert wait_until(lambda: not is_alive(pid), seconds=5)
