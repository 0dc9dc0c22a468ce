"""Devices, what happened at them, and the agents of houses, in the admin."""

from apps.devices.admin import agents, commands, devices, events, sessions

__all__ = ["agents", "commands", "devices", "events", "sessions"]
