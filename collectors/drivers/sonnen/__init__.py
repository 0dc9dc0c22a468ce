"""sonnen batteries, read in the house's own network and, where that fails, over the vendor's cloud."""

from collectors.drivers.sonnen.config import Config, fields
from collectors.drivers.sonnen.driver import Driver

TITLE = "sonnen battery"
EXAMPLE = {"ip": "192.168.1.30"}

__all__ = ["EXAMPLE", "TITLE", "Config", "Driver", "fields"]
