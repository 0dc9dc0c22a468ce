"""The contract between drivers and whoever runs them: the edge agent or the server's pull tasks.

A kind of device is one folder here. Its package exports

* ``TITLE``: its name for people;
* ``Config``: a subclass of :class:`Config`, one attribute per setting;
* ``EXAMPLE``: a configuration, as a plain dict, that operators can start from;
* ``fields(config)``: the list of :class:`Field` that its readings carry under that configuration;
* ``Driver(config)``: with ``read()`` and ``act(data)``, see :class:`Driver`; and with ``memory()`` and
  ``recall(memory)`` where it has something to remember, see :class:`Remembers`;
* ``COMMANDS``, where the device can be told something: a tuple of subclasses of :class:`Command`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

Value = float | str | bool | None
Kind = Literal["gauge", "counter", "interval", "step"]
Keep = Callable[[], None]
Role = Literal["solar", "battery", "ev", "load", "grid", "soc"]


def no_keep() -> None:
    """For ``keep`` where nobody keeps anything."""


class DeviceError(Exception):
    """The device did not do what was asked. The message is for operators and never holds a secret."""


class ConfigError(ValueError):
    """A configuration that cannot be used: ``field`` names the setting, ``message`` says what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Reading:
    """Values that hold at one moment; ``timestamp`` in Unix ms UTC, None for a value that is missing."""

    timestamp: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a device; ``timestamp`` in Unix ms UTC, ``data`` JSON."""

    timestamp: int
    type: str
    data: Mapping[str, Any]


def warning(timestamp: int, text: str) -> Event:
    """The event that tells operators of a fault; ``timestamp`` in Unix ms UTC.

    It lasts, and is repeated for the driver twice a day, until :func:`cleared` is told with the same text.
    """
    return Event(timestamp, "WARNING", {"data": text})


def cleared(timestamp: int, text: str) -> Event:
    """The event that clears what a :func:`warning` with this text opened; Unix ms UTC."""
    return Event(timestamp, "WARNING", {"data": text, "cleared": True})


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a driver returns when it knows its own stamps, has several readings, or has events."""

    readings: Sequence[Reading] = ()
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field of a device's readings.

    ``kind``: ``gauge`` is sampled, ``counter`` only grows, ``interval`` is the mean over the ``_length``
    ms before its stamp, ``step`` holds until the next value. ``sign`` says in words what positive means.
    ``factor`` turns a value into the house's convention: kW, battery positive when discharging, grid
    positive when importing, everything else never negative.
    ``rating`` and ``modulus`` are a counter's, both in its unit: its largest increase in an hour (for kWh
    that is kW), and where its register begins at 0 again, such as 6553.6 for 16 bits of 0.1 kWh.
    """

    name: str
    quantity: str
    unit: str
    kind: Kind
    sign: str
    role: Role | None = None
    factor: float = 1.0
    rating: float | None = None
    modulus: float | None = None


def setting(title: str, help: str = "", **limits: Any) -> msgspec.Meta:  # noqa: A002 - the word forms use
    """Describe a setting for forms and help; ``limits`` are msgspec's (``ge``, ``max_length``, …)."""
    return msgspec.Meta(title=title, description=help, **limits)


def secret(title: str, help: str = "", **limits: Any) -> msgspec.Meta:  # noqa: A002
    """Describe a setting that is encrypted at rest, masked in forms and absent from logs."""
    return setting(title, help, extra_json_schema={"secret": True, "writeOnly": True}, **limits)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every driver's configuration. Its repr masks secrets, so that it can be logged.

    A check that spans settings belongs into ``__post_init__`` and raises ConfigError.
    """

    def __repr__(self) -> str:
        hidden = secret_names(type(self))
        shown = (
            f"{name}={'•••' if name in hidden and value is not None else repr(value)}"
            for name, value in msgspec.structs.asdict(self).items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action"):
    """Base of what a device can be told, one attribute per setting; ``action`` is the subclass's ``tag``.

    ``TITLE`` is its name for people, ``HELP`` says what it does.
    """

    TITLE: ClassVar[str]
    HELP: ClassVar[str] = ""


def secret_names(config: type[msgspec.Struct]) -> set[str]:
    """Names of the settings declared with :func:`secret`."""
    return {
        field.name
        for field in msgspec.structs.fields(config)
        for meta in getattr(field.type, "__metadata__", ())
        if (meta.extra_json_schema or {}).get("secret")
    }


def without_secrets(text: str, config: Config) -> str:
    """Blank whatever secret value of ``config`` occurs in ``text``, however it came there."""
    for name in secret_names(type(config)):
        value = getattr(config, name)
        if isinstance(value, str) and value:
            text = text.replace(value, "•••")
    return text


class Driver(Protocol):
    """One device being read. An object lives as long as its configuration and belongs to one thread."""

    def __init__(self, config: Any) -> None: ...

    def read(self) -> Mapping[str, Value] | ReadResult:
        """Read the device once; a plain mapping is stamped when it is returned. Raises DeviceError."""
        ...

    def act(self, data: Mapping[str, Any], keep: Keep) -> None:
        """Make the device do something and see that it did. Raises DeviceError.

        ``keep()`` keeps what the driver has to remember at once, before this ends: for what a restart in the
        midst of it must not forget.
        """
        ...


@runtime_checkable
class Remembers(Protocol):
    """A driver that must not forget when the program restarts or the device's configuration changes.

    Whoever runs drivers calls ``recall`` once, before the first ``read``, with what ``memory`` said last for
    the same device (same name and kind), and keeps ``memory()`` after every ``read`` in the same transaction
    as what that read returned. So an event is neither lost nor told twice, whenever the power goes.
    """

    def memory(self) -> Mapping[str, Any]:
        """What to remember: a small JSON object without secrets."""
        ...

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what an earlier object of this device remembered.

        What does not fit (another version, another configuration, damage) is ignored, never an error.
        """
        ...


class DriverModule(Protocol):
    """What the package of a kind exports."""

    TITLE: str
    EXAMPLE: dict[str, Any]
    Config: type[Config]
    Driver: type[Driver]

    @staticmethod
    def fields(config: Any) -> list[Field]: ...
