"""Measurements of this installation's machine, each against something else that does the same work."""
