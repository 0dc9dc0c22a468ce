"""What happens between `manage.py` and Django: the embedded servers, for the commands that need them."""

import os
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from config import servers

ROOT = Path(__file__).resolve().parent.parent
_NEED_NO_SERVER = {
    *("help", "version", "--version", "check", "collectstatic", "makemessages", "compilemessages"),
    *("startapp", "startproject", "diffsettings"),
}


def run(argv: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Run one management command."""
    environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        if needs_servers(argv):
            servers.ensure(var_folder(argv, environ), testing=is_test(argv))
    except servers.ServersError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    from django.core.management import execute_from_command_line

    execute_from_command_line(list(argv))


def needs_servers(argv: Sequence[str]) -> bool:
    """Whether this command line reaches a database or broker; asking for help does not."""
    if len(argv) < 2 or argv[1] in _NEED_NO_SERVER:
        return False
    return not {"-h", "--help"} & set(argv[2:])


def is_test(argv: Sequence[str]) -> bool:
    return len(argv) > 1 and argv[1] == "test"


def var_folder(argv: Sequence[str], environ: MutableMapping[str, str]) -> Path:
    """The folder of this run. A test run has its own, told to its children, so that it disturbs nobody."""
    var = Path(environ.get("WATTDESK_VAR") or ROOT / "var")
    if is_test(argv):
        var = test_folder(var)
        environ["WATTDESK_VAR"] = str(var)
    return var


def test_folder(var: Path) -> Path:
    """Where a test run of this process keeps its servers and files."""
    return var / f"test-{os.getpid()}"
