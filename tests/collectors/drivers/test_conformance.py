"""Every kind passes the suite, and the suite fails drivers that deserve it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collectors import drivers, simulation
from collectors.check import stage
from collectors.check.suite import CASES, examine
from tests.collectors.drivers.test_documentation import block

Make = Callable[..., None]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", drivers.kinds())
def test_every_kind_passes(kind: str, case: str) -> None:
    assert examine(kind, case) is None


@pytest.fixture
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Put the documentation's plug in place, with words of its driver replaced by worse ones."""

    def make(*changes: tuple[str, str]) -> None:
        source = block("driver")
        for before, after in changes:
            assert before in source
            source = source.replace(before, after)
        (tmp_path / "drivers" / "plug").mkdir(parents=True)
        (tmp_path / "drivers" / "plug" / "__init__.py").write_text(source)
        (tmp_path / "simulation").mkdir()
        (tmp_path / "simulation" / "plug.py").write_text(block("simulator"))

    monkeypatch.setattr(drivers, "__path__", [*drivers.__path__, str(tmp_path / "drivers")])
    monkeypatch.setattr(simulation, "__path__", [*simulation.__path__, str(tmp_path / "simulation")])
    yield make
    for name in ("collectors.drivers.plug", "collectors.simulation.plug"):
        sys.modules.pop(name, None)


def test_a_new_kind_passes_with_no_more_than_its_two_files(plug: Make) -> None:
    plug()
    assert {case: examine("plug", case) for case in CASES} == dict.fromkeys(CASES)


VALUES = '{"power": status.power / 1000, "energy": status.total / 1000, "relay": status.relay}'
GET = 'get(self._session, f"http://{self._config.host}/status", timeout=self._config.timeout)'
BARE = 'self._session.get(f"http://{self._config.host}/status", timeout=1).content'
TEXT = '"The plug\'s answer is not the status of a plug."'
STAMPED = (
    f"__import__('collectors').drivers.ReadResult([__import__('collectors').drivers.Reading(1, {VALUES})])"
)
AT_ONCE = "local_session().get('http://127.0.0.1:1')"
NOTHING = 'raise DeviceError("The plug takes no commands.")'
FAILURE = f"raise DeviceError({TEXT}) from error"
LOGGED = "local_session(); __import__('logging').getLogger('plug').debug('%s', config.token)"


@pytest.mark.parametrize(
    ("case", "before", "after", "says"),
    [
        ("declared fields", '"relay": status.relay', '"switch": status.relay', "not delivered: relay"),
        ("declared fields", '"relay": status.relay', '"relay": None', "Missing from a healthy device: relay"),
        ("declared fields", VALUES, STAMPED, "none of today"),
        ("declared fields", "status.power / 1000", "status.power / (0 * status.total)", "ZeroDivisionError"),
        ("re-read", VALUES, STAMPED, "delivered a stamp again"),
        (
            "half payload",
            f"raise DeviceError({TEXT}) from error",
            "return {'power': 0.0}",
            "nothing was right",
        ),
        ("half payload", TEXT, "'JSON'", "no sentence: JSON"),
        ("redirect", GET, BARE, "followed a redirect"),
        ("one request at a time", GET, BARE, "2 requests were under way"),
        (
            "start without the device",
            "local_session()",
            "local_session().get('http://127.0.0.1:1')",
            "no DeviceE",
        ),
        (
            "nonsense commands",
            'raise DeviceError("The plug takes no commands.")',
            "return",
            "took the command",
        ),
        ("secrets", TEXT, "f'{self._config.token} is refused.'", "A secret was shown"),
        ("secrets", "local_session()", LOGGED, "A secret was shown"),
    ],
)
def test_a_driver_that_falls_short_is_told_how(
    plug: Make, case: str, before: str, after: str, says: str
) -> None:
    plug((before, after))
    assert says in str(examine("plug", case))


def test_a_driver_that_waits_too_long_is_told(plug: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "LONGEST_READ_S", 0.5)
    plug(("timeout=self._config.timeout", "timeout=1"))
    assert examine("plug", "time-out") == "A read took longer than 0.5 s."
