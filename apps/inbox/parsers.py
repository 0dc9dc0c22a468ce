"""Who parses what: apps register a parser for each kind in `AppConfig.ready`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.inbox.models import Receipt


@dataclass(frozen=True)
class Result:
    """How parsing ended. `needs_mapping` says what people must map first; empty when all was taken."""

    needs_mapping: str = ""


class ParseError(Exception):
    """The body cannot be parsed; its text tells people why."""


# Called as parser(receipt, body) in a transaction, which holds either all it wrote and the receipt's new
# state, or nothing. As receipts are replayed, parsing the same again must do no harm.
Parser = Callable[[Receipt, bytes], Result]


@dataclass(frozen=True)
class Registered:
    """A parser and its version, which grows when it reads bodies differently."""

    parser: Parser
    version: int


_parsers: dict[str, Registered] = {}


def register(kind: str, parser: Parser, version: int) -> None:
    """Let receipts of `kind` be parsed. Raises ValueError when somebody does that already."""
    if kind in _parsers:
        raise ValueError(f"Receipts of kind “{kind}” have a parser already.")
    _parsers[kind] = Registered(parser, version)


def of(kind: str) -> Registered:
    """The parser of `kind`. Raises KeyError when there is none."""
    return _parsers[kind]


def kinds() -> list[str]:
    """Every kind that has a parser."""
    return sorted(_parsers)
