"""The how-to for a Raspberry Pi and its unit file say what the program does."""

import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from collectors.__main__ import build_parser
from collectors.agent.spool import DEAD_BYTES, MOST_UNWRITTEN, SPOOL_BOUND
from collectors.agent.timekeeping import FAR_MS
from collectors.agent.warnings import STEADY_S

DOCS = Path(__file__).parents[3] / "docs"
UNIT = DOCS / "wattdesk-agent.service"
HOW_TO = DOCS / "raspberry-pi.md"


def test_the_unit_starts_the_agent_as_it_is_installed_by_the_how_to() -> None:
    unit = ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    python, _, module, *arguments = shlex.split(unit["Service"]["ExecStart"])
    options = build_parser().parse_args(arguments)
    assert module == "collectors"
    assert options.state == Path("/var/lib") / unit["Service"]["StateDirectory"]
    text = HOW_TO.read_text()
    assert python.removeprefix("/opt/wattdesk/").startswith("agent/bin/")
    for path in ("/opt/wattdesk", str(options.bundle), str(options.state), "docs/wattdesk-agent.service"):
        assert path in text
    assert f"useradd --system --home-dir {options.state}" in text
    assert unit["Service"]["User"] == "wattdesk"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(
        re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text(), flags=re.MULTILINE)
    )
    verified = subprocess.run(
        ["systemd-analyze", "verify", unit],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    assert UNIT.name not in verified.stderr


def test_the_how_to_has_ten_steps_at_most_and_the_limits_of_the_program() -> None:
    text = HOW_TO.read_text()
    assert 1 <= len(re.findall(r"^\d+\. ", text, flags=re.MULTILINE)) <= 10
    for limit in (
        f"{SPOOL_BOUND:,} rows",
        f"newest {MOST_UNWRITTEN:,} rows",
        f"{DEAD_BYTES // 10**6} MB",
        f"{STEADY_S:g} s without fault",
        f"more than {FAR_MS // 60_000} min off",
    ):
        assert limit in text
