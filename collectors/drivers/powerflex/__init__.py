"""PowerFlex charging stations, read from the vendor's cloud."""

from collectors.drivers.powerflex.config import Config, fields
from collectors.drivers.powerflex.driver import Driver

TITLE = "PowerFlex EV charger"
EXAMPLE = {
    "url": "https://powerflex.example.com",
    "username": "owner@example.com",
    "password": "of that account",
    "acc_id": "1",
    "acs_id": "17",
}

__all__ = ["EXAMPLE", "TITLE", "Config", "Driver", "fields"]
