"""Which charging station is read, and what it measures."""

from typing import Annotated

from collectors.drivers.contract import Config as BaseConfig
from collectors.drivers.contract import Field, secret, setting
from collectors.drivers.transport import CLOUD


class Config(BaseConfig, frozen=True, kw_only=True):
    """Settings of a PowerFlex station."""

    url: Annotated[
        str, setting("Server", "Address of PowerFlex's interface, with https:// before it.", pattern=CLOUD)
    ]
    username: Annotated[str, setting("User name", "Of an account that may see the station.")]
    password: Annotated[str, secret("Password", "Of that account.")]
    acc_id: Annotated[str | int, setting("Account id", "The acc_id in PowerFlex's measurements.")]
    acs_id: Annotated[str | int, setting("Station id", "The acs_id in PowerFlex's measurements.")]
    timeout: Annotated[
        float, setting("Time-out", "Seconds to wait for each of the server's answers.", gt=0, le=60)
    ] = 10.0

    @property
    def station(self) -> tuple[str, str]:
        """Account and station, as measurements name them."""
        return str(self.acc_id), str(self.acs_id)


FIELDS = [
    Field("power", "power", "W", "gauge", "+ = charging", role="ev", factor=0.001),
    Field("voltage", "voltage", "V", "gauge", "never negative"),
    Field("mamps_actual", "current", "mA", "gauge", "+ = charging"),
    Field("pilot_actual", "current", "mA", "gauge", "the most that the station allows the car"),
    Field("energy_delivered", "energy", "mWh", "gauge", "into the car since it was plugged in"),
    Field("charging_state", "state", "", "step", "UNPLUGGED, or what the plugged-in car does"),
]


def fields(config: Config) -> list[Field]:
    """The series of a station: the same for all."""
    return FIELDS
