"""Which registers of an eGauge are read, and what each of them means.

A meter adds up, second by second: watts to W·s, millivolts to mV·s, millihertz to mHz·s. So a difference
divided by its seconds and by 1000 is kW, V or Hz. Where its current transformers are fitted the usual way,
solar and a discharging battery are positive, export to the grid is positive, and consumption is negative.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from collectors.drivers.contract import Config as BaseConfig
from collectors.drivers.contract import ConfigError, Field, Role, secret, setting
from collectors.drivers.transport import HOST

Quantity = Literal["power", "voltage", "frequency", "current"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Unit of a quantity's means and the span in which they can lie; others mean a register was reset."""

    unit: str
    lowest: float
    highest: float


SCALES: dict[Quantity, Scale] = {
    "power": Scale("kW", -5_000.0, 5_000.0),
    "voltage": Scale("V", 0.0, 1_000.0),
    "frequency": Scale("Hz", 0.0, 1_000.0),
    "current": Scale("A", -10_000.0, 10_000.0),
}

ROLES: dict[str, Role] = {
    "solar": "solar",
    "battery": "battery",
    "gridpower": "grid",
    "grid": "grid",
    "ev": "ev",
    "load": "load",
}

FACTORS: dict[Role, float] = {
    "solar": 1.0,
    "battery": 1.0,
    "grid": -1.0,
    "ev": -1.0,
    "load": -1.0,
    "soc": 1.0,
}

SIGNS: dict[tuple[Role | None, bool], str] = {
    ("solar", True): "+ = generation",
    ("solar", False): "− = generation",
    ("battery", True): "+ = discharging, − = charging",
    ("battery", False): "+ = charging, − = discharging",
    ("grid", True): "+ = import, − = export",
    ("grid", False): "+ = export, − = import",
    ("ev", True): "+ = charging",
    ("ev", False): "− = charging",
    ("load", True): "+ = consumption",
    ("load", False): "− = consumption",
}


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One register; what is left out follows from its name."""

    name: str
    quantity: Quantity | None = None
    role: Role | msgspec.UnsetType | None = msgspec.UNSET
    factor: float | None = None

    @property
    def measured(self) -> Quantity:
        """The quantity, by the name where the configuration does not say."""
        return self.quantity or _quantity(self.name)

    def field(self) -> Field:
        """The declaration of the register's series."""
        role = self._role()
        factor = self.factor if self.factor is not None else FACTORS[role] if role else 1.0
        return Field(
            name=self.name,
            quantity=self.measured,
            unit=SCALES[self.measured].unit,
            kind="interval",
            sign=SIGNS.get((role, factor > 0), self._plain_sign()),
            role=role,
            factor=factor,
        )

    def _role(self) -> Role | None:
        if not isinstance(self.role, msgspec.UnsetType):
            return self.role
        return ROLES.get(_last(self.name)) if self.measured == "power" else None

    def _plain_sign(self) -> str:
        return (
            "as the current transformer is fitted"
            if self.measured in ("power", "current")
            else "never negative"
        )


class Config(BaseConfig, frozen=True, kw_only=True):
    """Settings of an eGauge."""

    ip: Annotated[
        str, setting("Address", "Address or name of the meter, with :port where it is not 80.", pattern=HOST)
    ]
    keys: Annotated[
        list[str | Key],
        setting(
            "Registers",
            "Names of registers, or objects with name and, where the name does not tell, quantity "
            "(power, voltage, frequency, current), role (solar, battery, ev, load, grid or null) and factor.",
            min_length=1,
        ),
    ]
    t_sample: Annotated[
        float,
        setting("Sample time", "Seconds between the two reads after a start or a long gap.", gt=0, le=60),
    ] = 5.0
    username: Annotated[str | None, setting("User name", "Where the meter asks for one.")] = None
    password: Annotated[str | None, secret("Password", "Where the meter asks for one.")] = None
    timeout: Annotated[float, setting("Time-out", "Seconds to wait for the meter's answer.", gt=0, le=60)] = (
        5.0
    )

    def __post_init__(self) -> None:
        names = [register.name for register in self.registers()]
        if not names:
            raise ConfigError("keys", "names no register")
        for name in names:
            _check_name(name)
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError("keys", f"names {', '.join(repeated)} more than once")
        if (self.username is None) != (self.password is None):
            raise ConfigError(
                "password" if self.password is None else "username", "user name and password go together"
            )

    def registers(self) -> list[Key]:
        """The registers to read. ``ts``, the meter's clock, is no register, though often listed as one."""
        keys = (key if isinstance(key, Key) else Key(name=key) for key in self.keys)
        return [key for key in keys if key.name != "ts"]


def fields(config: Config) -> list[Field]:
    """The series of a meter so configured, in the configuration's order."""
    return [key.field() for key in config.registers()]


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _quantity(name: str) -> Quantity:
    last = _last(name)
    return "voltage" if "voltage" in last else "frequency" if "frequency" in last else "power"


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 200 or not name.isprintable() or name.startswith("_"):
        raise ConfigError("keys", f"{name[:40]!r} is no name: 1 to 200 printable characters, no leading “_”")
