"""sonnen batteries, read in the house's own network and, where that fails, over the vendor's cloud."""

from collectors.drivers.sonnen.config import Config, fields
from collectors.drivers.sonnen.control import SetMode, SetPower
from collectors.drivers.sonnen.driver import Driver

TITLE = "sonnen battery"
EXAMPLE = {"ip": "192.168.1.30"}
COMMANDS = (SetMode, SetPower)

__all__ = ["COMMANDS", "EXAMPLE", "TITLE", "Config", "Driver", "fields"]
