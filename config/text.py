"""Text from elsewhere on its way into the database."""

from __future__ import annotations


def storable(text: str, length: int | None = None) -> str:
    """The text with what PostgreSQL refuses (NUL, lone surrogates) replaced, and at most `length` long."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:length]
