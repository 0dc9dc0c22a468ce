"""Everything that talks to devices: drivers, the edge agent and simulators of the devices.

Runs on a Raspberry Pi from ``requirements-agent.txt`` alone: no Django, no numpy.
"""

__version__ = "0.1.0"
