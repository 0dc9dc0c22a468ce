"""The cases of the suite; each takes a fresh stage and raises DeviationError where a kind falls short."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from collectors import drivers
from collectors.check.faults import FAULTS, Silence
from collectors.check.proxy import Fault, passed_on
from collectors.check.stage import CANARY, DeviationError, Stage, staged
from collectors.drivers import DeviceError, Driver, ReadResult
from collectors.drivers.contract import Remembers

Case = Callable[[Stage], None]

HOUR_S = 3_600
DAY_MS = 86_400_000
STRANGE_MEMORIES: list[dict[str, Any]] = [{}, {"somebody": "else"}, {"seen": "yesterday", "manual_until": []}]


def declares(stage: Stage) -> None:
    """Every declared field arrives, no other does, and none is missing from a healthy device."""
    result = stage.read_well(stage.driver())
    newest = result.readings[-1]
    if missing := sorted(name for name, value in newest.values.items() if value is None):
        raise DeviationError(f"Missing from a healthy device: {', '.join(missing)}.")
    if abs(newest.timestamp - stage.device_clock() * 1000) > DAY_MS:
        raise DeviationError(f"The stamp {newest.timestamp} is none of today in milliseconds.")
    for event in result.events:
        raise DeviationError(f"A healthy device told {event.type}: {event.data}.")


def reads_again(stage: Stage) -> None:
    """Reads follow each other, stamps go on, and no reading comes twice."""
    driver = stage.driver()
    seen = [_stamps(stage.read_well(driver))]
    for _ in range(3):
        stage.sleep(10)
        seen.append(_stamps(stage.read_well(driver)))
    _must_go_on(seen)


def starts_anew(stage: Stage) -> None:
    """A new driver with the old one's memory goes on after it; with another's it begins from nothing."""
    first = stage.driver()
    before = stage.read_well(first)
    stage.sleep(10)
    second = stage.driver()
    _recall(second, stage.memory(first))
    _must_go_on([_stamps(before), _stamps(stage.read_well(second))])
    for strange in STRANGE_MEMORIES:
        stage.sleep(10)
        third = stage.driver()
        _recall(third, strange)
        stage.read_well(third, " after it was handed another's memory")


def bears(fault: Fault, stage: Stage) -> None:
    """A fault is a DeviceError in time, and an hour after it the same driver reads as before."""
    driver = stage.driver()
    stage.read_well(driver)
    stage.sleep(10)
    stage.proxy.fault = fault
    stage.read_badly(driver, " during the fault")
    if stage.proxy.strayed:
        raise DeviationError("It followed a redirect.")
    stage.proxy.fault = passed_on
    stage.sleep(HOUR_S)
    stage.read_well(driver, " an hour after the fault")


def bears_silence(stage: Stage) -> None:
    """No answer is given up in time."""
    silence = Silence()
    try:
        bears(silence, stage)
    finally:
        silence.ended.set()


def starts_in_trouble(stage: Stage) -> None:
    """A driver can be made while its device is away, and reads it once it is there."""
    stage.proxy.fault = FAULTS["connection closed"]
    driver = stage.driver()
    stage.read_badly(driver, " before the device was there")
    stage.proxy.fault = passed_on
    stage.sleep(HOUR_S)
    stage.read_well(driver, " once the device was there")


def bears_skew(stage: Stage) -> None:
    """A device whose clock is an hour off, either way, is read."""
    for skew in (HOUR_S, -HOUR_S):
        stage.skew = skew
        driver = stage.driver()
        stage.read_well(driver, f" with its clock {skew:+d} s off")
        stage.sleep(10)
        stage.read_well(driver, f" with its clock {skew:+d} s off")


def takes_turns(stage: Stage) -> None:
    """Two drivers of one device never have two requests under way."""
    stage.proxy.delay = 0.05
    pair = [threading.Thread(target=_read_anyway, args=[stage, stage.driver()]) for _ in range(2)]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
    if stage.proxy.most_at_once != 1:
        raise DeviationError(f"{stage.proxy.most_at_once} requests were under way at once.")


def refuses_nonsense(stage: Stage) -> None:
    """A command that means nothing is a DeviceError."""
    for command in ({}, {"action": "dance"}, {"action": ["set_mode"], "value": {}}):
        try:
            stage.driver().act(command, drivers.no_keep)
        except DeviceError as error:
            stage.told.append(str(error))
        else:
            raise DeviationError(f"It took the command {command}.")


def keeps_secrets(stage: Stage) -> None:
    """Secrets that are set and not needed are in no text either, also when a server shows them back."""
    raw = stage.with_canaries()
    driver = stage.driver(raw)
    stage.told += [repr(driver), repr(drivers.parse_config(stage.kind, raw))]
    for fault in ("401", "500", "redirect", "half payload"):
        stage.proxy.fault = FAULTS[fault]
        stage.read_badly(driver, f" with {fault}")
        stage.sleep(HOUR_S)


CASES: dict[str, Case] = {
    "declared fields": declares,
    "re-read": reads_again,
    "restart": starts_anew,
    "start without the device": starts_in_trouble,
    "clock skew": bears_skew,
    "one request at a time": takes_turns,
    "nonsense commands": refuses_nonsense,
    "secrets": keeps_secrets,
    "time-out": bears_silence,
    **{name: partial(bears, fault) for name, fault in FAULTS.items()},
}


def examine(kind: str, case: str) -> str | None:
    """Try one case on a kind; what is wrong, or None. Secrets are looked for in every case."""
    with staged(kind) as stage, overheard() as log:
        try:
            CASES[case](stage)
        except DeviationError as error:
            return str(error)
        except Exception as error:  # whatever a driver raises, it is the driver that is examined
            return f"It raised {type(error).__name__}, which is no DeviceError: {error}"
        said = "\n".join([*stage.told, *log])
        if any(secret in said for secret in {*stage.secrets(stage.raw), CANARY}):
            return "A secret was shown in an error, a log, a reading or the driver's memory."
    return None


@contextmanager
def overheard() -> Iterator[list[str]]:
    """All that is logged meanwhile, at every level."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, ear = logging.getLogger(), Ear()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(ear)
        root.setLevel(level)


def _stamps(result: ReadResult) -> list[int]:
    return [reading.timestamp for reading in result.readings]


def _must_go_on(seen: list[list[int]]) -> None:
    stamps = [stamp for one in seen for stamp in one]
    if stamps != sorted(set(stamps)):
        raise DeviationError("A later read delivered a stamp again, or an earlier one.")


def _recall(driver: Driver, memory: dict[str, Any]) -> None:
    if isinstance(driver, Remembers):
        driver.recall(memory)


def _read_anyway(stage: Stage, driver: Driver) -> None:
    """Read, whatever comes of it: here only the number of requests matters."""
    try:
        stage.read(driver)
    except DeviceError:
        return
