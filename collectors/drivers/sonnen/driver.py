"""Read a sonnen battery, here or over the cloud, and bring it back from manual mode in time."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from collectors.drivers.contract import DeviceError, Field, Keep, Reading, ReadResult, Value, no_keep
from collectors.drivers.faults import Faults
from collectors.drivers.sonnen.config import Config, fields
from collectors.drivers.sonnen.control import Control
from collectors.drivers.sonnen.ways import Look, Way, cloud, local, look
from collectors.drivers.transport import turn
from collectors.drivers.values import measured, stated

LOCAL_AGAIN_S = 60
"""So long the cloud is asked first after it had to help; then the battery itself again."""


class Memory(msgspec.Struct, frozen=True):
    """When (Unix s) the battery must be back in self-consumption, if it is not."""

    manual_until: float | None


class Driver:
    """One battery. Stamps are this machine's: the battery's own are local texts without a zone."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._config, self._clock, self._monotonic = config, clock, monotonic
        self._local, self._cloud = local(config), cloud(config, monotonic)
        self._control = Control(config, self._local, monotonic=monotonic, sleep=sleep)
        self._turn = turn(config.ip)
        self._cloud_first_until = 0.0
        self._local_fault: str | None = None
        self._manual_until: float | None = None
        self._faults = Faults()

    def read(self) -> ReadResult:
        """The battery's fields as it says them: W, %, V, Hz, texts and truth values.

        What is missing is None, and a WARNING tells when power or state of charge begin to be missing, and
        when the cloud has to help. Raises DeviceError when neither way leads to anything.
        """
        with self._turn:
            faults = self._return_in_time()
            found = self._look()
        stamp = round(self._clock() * 1000)
        values = {field.name: _value(field, found.leaves) for field in fields(self._config)}
        faults |= found.faults | self._detour(found)
        return ReadResult([Reading(stamp, values)], self._faults.news(faults, stamp))

    def act(self, data: Mapping[str, Any], keep: Keep = no_keep) -> None:
        """Change mode or set-point and see it done; `control` has the commands. Raises DeviceError.

        Manual mode ends by itself ``hold`` seconds after the last command, for as long as this driver is
        polled; a restart in between does not change that.
        """
        with self._turn:
            if self._control.act(data, begun=partial(self._begin_manual, keep)) == "self":
                self._manual_until = None

    def memory(self) -> Mapping[str, Any]:
        """When manual mode must end."""
        return {"manual_until": self._manual_until}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on watching over manual mode."""
        with contextlib.suppress(msgspec.ValidationError):
            self._manual_until = msgspec.convert(memory, Memory).manual_until

    def _begin_manual(self, keep: Keep) -> None:
        """Kept before the battery is told: nothing else would end manual mode after a restart."""
        self._manual_until = self._clock() + self._config.hold
        keep()

    def _return_in_time(self) -> dict[str, str]:
        """End manual mode when it is time; what stands in the way, by part."""
        if self._manual_until is None or self._clock() < self._manual_until:
            return {}
        try:
            self._control.set_mode("self")
        except DeviceError as error:
            return {"return": f"The battery cannot be brought back to self-consumption: {error}"}
        self._manual_until = None
        return {}

    def _look(self) -> Look:
        """What the first way shows that shows all, else the one that shows most."""
        looks = []
        for way in self._ways():
            found = way()
            if not found.faults:
                return found
            looks.append(found)
        return _most(looks)

    def _ways(self) -> list[Callable[[], Look]]:
        """The battery itself first, but for a while after it failed the cloud."""
        if self._cloud is None:
            return [self._look_here]
        over_cloud = partial(_look_over, self._cloud)
        if self._monotonic() < self._cloud_first_until:
            return [over_cloud, self._look_here]
        return [self._look_here, over_cloud]

    def _look_here(self) -> Look:
        found = look(self._local)
        self._local_fault = next(iter(found.faults.values()), None)
        self._cloud_first_until = self._monotonic() + LOCAL_AGAIN_S if found.faults else 0.0
        return found

    def _detour(self, found: Look) -> dict[str, str]:
        """What is to be told when the cloud has to help."""
        if found.faults or self._local_fault is None:
            return {}
        return {"local": f"The battery is read over the cloud, since in the house: {self._local_fault}"}


def _look_over(cloud: Way) -> Look:
    found = look(cloud)
    return Look(
        found.leaves, {f"cloud {name}": f"Over the cloud: {text}" for name, text in found.faults.items()}
    )


def _most(looks: Sequence[Look]) -> Look:
    """The fullest look. Raises DeviceError when all are empty."""
    best = max(looks, key=lambda found: len(found.leaves))
    if not best.leaves:
        raise DeviceError(" ".join(dict.fromkeys(text for found in looks for text in found.faults.values())))
    return best


def _value(field: Field, leaves: Mapping[str, Any]) -> Value:
    return (measured if field.kind == "gauge" else stated)(leaves.get(field.name))
