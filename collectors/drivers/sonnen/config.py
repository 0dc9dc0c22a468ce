"""How a sonnen battery is reached, what it measures, and what it may be told."""

from typing import Annotated

import msgspec

from collectors.drivers.contract import Config as BaseConfig
from collectors.drivers.contract import ConfigError, Field, secret, setting
from collectors.drivers.transport import CLOUD, HOST

POWER, SOC = "status.Pac_total_W", "battery.battery_status.relativestateofcharge"

FIELDS = [
    Field(POWER, "power", "W", "gauge", "+ = discharging, − = charging", "battery", 0.001),
    Field(SOC, "state of charge", "%", "gauge", "0 = empty, 100 = full", "soc"),
    Field("status.USOC", "state of charge", "%", "gauge", "of what the user may draw"),
    Field("status.RSOC", "state of charge", "%", "gauge", "of the cells"),
    Field("status.Consumption_W", "power", "W", "gauge", "+ = consumption"),
    Field("status.Production_W", "power", "W", "gauge", "+ = generation"),
    Field("status.GridFeedIn_W", "power", "W", "gauge", "+ = export, − = import"),
    Field("status.Uac", "voltage", "V", "gauge", "never negative"),
    Field("status.Ubat", "voltage", "V", "gauge", "never negative"),
    Field("status.Fac", "frequency", "Hz", "gauge", "never negative"),
    Field("status.BackupBuffer", "state of charge", "%", "step", "kept for an outage of the grid"),
    Field("status.OperatingMode", "state", "", "step", "1 = manual, 2 or 8 = self-consumption, 7 = backup"),
    Field("status.SystemStatus", "state", "", "step", "OnGrid or OffGrid"),
    Field("status.BatteryCharging", "state", "", "step", "whether it charges"),
    Field("status.BatteryDischarging", "state", "", "step", "whether it discharges"),
    Field("status.FlowConsumptionBattery", "state", "", "step", "whether the battery feeds the house"),
    Field("status.FlowConsumptionGrid", "state", "", "step", "whether the grid feeds the house"),
    Field("status.FlowConsumptionProduction", "state", "", "step", "whether the sun feeds the house"),
    Field("status.FlowGridBattery", "state", "", "step", "whether the grid charges the battery"),
    Field("status.FlowProductionBattery", "state", "", "step", "whether the sun charges the battery"),
    Field("status.FlowProductionGrid", "state", "", "step", "whether the sun feeds the grid"),
]


Serial = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,40}$")]


class Config(BaseConfig, frozen=True, kw_only=True):
    """Settings of a sonnen battery."""

    ip: Annotated[
        str,
        setting("Address", "Address or name of the battery, with :port where it is not 8080.", pattern=HOST),
    ]
    serial: Annotated[
        Serial | None, setting("Serial number", "With the token: the cloud is read when the house fails.")
    ] = None
    token: Annotated[
        str | None, secret("Cloud token", "Of the vendor's cloud, together with the serial number.")
    ] = None
    cloud: Annotated[
        str, setting("Cloud", "Address of the vendor's cloud, with https:// before it.", pattern=CLOUD)
    ] = "https://core-api.sonnenbatterie.de"
    more: Annotated[
        list[str],
        setting("Further fields", "Names like battery.battery_status.cyclecount, recorded as plain numbers."),
    ] = []
    timeout: Annotated[
        float, setting("Time-out", "Seconds to wait for each of the battery's answers.", gt=0, le=60)
    ] = 5.0
    most_power: Annotated[
        int, setting("Most power", "Watts up to which a command may charge or discharge.", ge=0, le=100_000)
    ] = 3_300
    hold: Annotated[
        int,
        setting(
            "Hold",
            "Seconds after the last command until the battery goes back to self-consumption.",
            ge=10,
            le=86_400,
        ),
    ] = 900

    def __post_init__(self) -> None:
        if (self.serial is None) != (not self.token):
            raise ConfigError(
                "serial" if self.serial is None else "token", "serial number and token go together"
            )
        names = [field.name for field in FIELDS] + self.more
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError("more", f"names {', '.join(repeated)}, recorded already")
        for name in self.more:
            if not (name.startswith(("battery.", "status.")) and name.isprintable() and len(name) <= 200):
                raise ConfigError(
                    "more", f"{name[:40]!r} is no field: its name begins with battery. or status."
                )


def fields(config: Config) -> list[Field]:
    """The series of a battery: what every one has, and what this configuration adds."""
    return FIELDS + [Field(name, "", "", "gauge", "as the battery says it") for name in config.more]
