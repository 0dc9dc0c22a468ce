"""eGauge meters, read over their HTTP interface in the house's own network."""

from collectors.drivers.egauge.config import Config, Key, fields
from collectors.drivers.egauge.driver import Driver

TITLE = "eGauge meter"
EXAMPLE = {
    "ip": "192.168.1.20",
    "keys": [
        "A.Solar",
        "A.Battery",
        "A.GridPower",
        "A.EV",
        "A.Load",
        "A.L1_Voltage",
        "A.L1_Frequency",
        {"name": "A.SubPanel", "quantity": "power", "role": None},
    ],
}

__all__ = ["EXAMPLE", "TITLE", "Config", "Driver", "Key", "fields"]
