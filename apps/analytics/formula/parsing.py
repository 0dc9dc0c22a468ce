"""From text to nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from apps.analytics.formula.constants import constant
from apps.analytics.formula.errors import FormulaError
from apps.analytics.formula.nodes import (
    ARITY,
    AVG,
    CONSTANTS,
    MAX_DEPTH,
    Call,
    Chain,
    Constant,
    Events,
    Field,
    Item,
    Negative,
    Node,
    Number,
    Power,
    depth,
)
from apps.analytics.formula.periods import period

MAX_LENGTH = 20_000
"""Characters of a formula."""

_GRAMMAR = Path(__file__).with_name("grammar.lark")
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_OPERAND = ("a number", "a series such as source.field", "a function", "“(”")
_OPERATOR = ("+", "-", "*", "/", "^")
_BEGINS = {"NUMBER", "FIELD", "EVENTS", "NAME", "_OPEN"}


def parse(text: str) -> Node:
    """The formula that `text` writes.

    Raises FormulaError for whatever is wrong with the text itself: syntax, unknown functions and constants,
    numbers of arguments, averaging periods, constant parts that are not finite, and its length or nesting.
    Names of sources, fields and items are not looked up, and `analytics.x` stays as it is: see `expand`.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            f"The formula has {len(text)} characters, at most {MAX_LENGTH} are allowed; split it into items."
        )
    node = _parsed(text)
    constant(node)  # refuses what is not finite
    return node


def _parsed(text: str) -> Node:
    try:
        tree: Any = _parser().parse(text)
    except UnexpectedToken as error:
        raise _unexpected(text, error) from None
    except UnexpectedCharacters as error:
        raise _strange(text, error.pos_in_stream or 0) from None
    return tree  # type: ignore[no-any-return]


class _Nesting:
    """Counts brackets between lexer and parser, so that what is nested too deep is never built."""

    always_accept = ()

    def process(self, tokens: Iterator[Token]) -> Iterator[Token]:
        open_brackets = 0
        for token in tokens:
            open_brackets += {"_OPEN": 1, "_CLOSE": -1}.get(token.type, 0)
            if open_brackets > MAX_DEPTH:
                raise _too_deep(_column(token))
            yield token


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    """Makes nodes of what the grammar finds, from the inside out."""

    def number(self, token: Token) -> Node:
        if (value := float(token)) == float("inf"):
            raise FormulaError("This number is too large.", _column(token))
        return Number(value, _column(token))

    def constant(self, token: Token) -> Node:
        if token.upper() in CONSTANTS:
            return Constant(token.upper(), _column(token))
        raise _unknown_name(token)

    def series(self, token: Token) -> Node:
        source, _, rest = token.partition(".")
        field, column = ".".join(_parts(rest)), _column(token)
        if source == "analytics":
            return _item(field, column)
        if source == "events":
            raise FormulaError(
                "Events are written events.devices::types, each of the two may be left out.", column
            )
        return Field(source, field, column)

    def events(self, token: Token) -> Node:
        return _events(token)

    def positive(self, _: Token, operand: Node) -> Node:
        return operand

    def negative(self, _: Token, operand: Node) -> Node:
        return operand.operand if isinstance(operand, Negative) else Negative(operand)

    def chain(self, first: Node, *rest: Any) -> Node:
        return _chain(first, rest)

    def power(self, base: Node, exponent: Node) -> Node:
        return _bounded(Power(base, exponent))

    def call(self, name: Token, *arguments: Node) -> Node:
        if (arity := ARITY.get(name)) is None:
            raise _unknown_function(name)
        if len(arguments) != arity:
            raise _wrong_count(name, arity, len(arguments))
        call = Call(str(name), arguments, _column(name))
        if name == AVG:
            period(call)
        return _bounded(call)


@cache
def _parser() -> Lark:
    return Lark(
        _GRAMMAR.read_text(),
        parser="lalr",
        lexer="basic",
        postlex=_Nesting(),
        transformer=_Builder(),
        maybe_placeholders=False,
    )


def _chain(first: Node, rest: tuple[Any, ...]) -> Node:
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return _bounded(Chain(first, tuple((str(operator), operand) for operator, operand in pairs)))


def _bounded(node: Node) -> Node:
    if depth(node) > MAX_DEPTH:
        raise _too_deep(None)
    return node


def _item(name: str, column: int) -> Item:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise FormulaError(
            f"No analytics item can be called “{name}”: names hold letters, digits and “_”.", column
        )
    return Item(name, column)


def _events(token: Token) -> Events:
    """What follows `events.` splits at the first `::` outside quotes."""
    pieces = re.findall(r'"(?:[^"]|"")+"|::|[:.]|[A-Za-z0-9_$]+', token)[2:]
    split = pieces.index("::")
    sources, after = pieces[:split], pieces[split + 1 :]
    end = after.index(".") if "." in after else len(after)
    return Events(_names(sources), _names(after[:end]), _names(after[end:]), _column(token))


def _names(pieces: list[str]) -> tuple[str, ...]:
    return tuple(_unquoted(piece) for piece in pieces if piece not in (":", "."))


def _parts(text: str) -> list[str]:
    return [_unquoted(match[0]) for match in _PART.finditer(text)]


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _too_deep(column: int | None) -> FormulaError:
    return FormulaError(
        f"The formula is nested too deep: {MAX_DEPTH} levels is the most. Split it into analytics items.",
        column,
    )


def _unknown_name(token: Token) -> FormulaError:
    text = (
        f"“{token}” alone names nothing: a series is written source.field, and the constants are PI and E."
        ' Names with other characters go into quotes, as in source."Grid Power".'
    )
    if token in ARITY:
        text = f"The function {token} needs its argument in brackets: {_usage(token)}."
    return FormulaError(text, _column(token))


def _unknown_function(token: Token) -> FormulaError:
    return FormulaError(f"There is no function “{token}”; use one of {', '.join(ARITY)}.", _column(token))


def _wrong_count(name: Token, arity: int, given: int) -> FormulaError:
    takes = "one argument" if arity == 1 else "two arguments"
    return FormulaError(f"{name} takes {takes}, not {given}: {_usage(name)}.", _column(name))


def _usage(name: str) -> str:
    return "avg(x, period in ms)" if name == AVG else f"{name}(x)"


def _strange(text: str, position: int) -> FormulaError:
    character = text[position]
    hint = {
        "=": "Formulas compare nothing.",
        "%": "Divide by 100 instead.",
        '"': "Quotes belong around a whole part of a name, after a dot, and come in pairs.",
        ".": "A name has something on both sides of each dot, as in source.field.",
        ",": "Decimals are written with a point.",
    }.get(character, 'In names it must stand in quotes, as in source."Grid Power".')
    return FormulaError(f"“{character}” has no place here. {hint}", position + 1)


def _unexpected(text: str, error: UnexpectedToken) -> FormulaError:
    token = error.token
    if token.type == "$END":
        return _ended(text, error.accepts or error.expected)
    expected = _in_words(error.accepts or error.expected)
    return FormulaError(
        f"“{token}” cannot stand here. Expected: {_listed(expected)}.", _column(token), expected
    )


def _ended(text: str, terminals: set[str]) -> FormulaError:
    expected = _in_words(terminals)
    if not text.strip():
        return FormulaError("The formula is empty.", 1, expected)
    what = "a closing bracket is missing" if "_CLOSE" in terminals else f"expected {_listed(expected)}"
    return FormulaError(f"The formula ends too early: {what}.", len(text.rstrip()) + 1, expected)


def _in_words(terminals: set[str]) -> tuple[str, ...]:
    if terminals & _BEGINS - {"_OPEN"}:
        return _OPERAND
    others = {"_OPEN": "“(”", "_CLOSE": "“)”", "_COMMA": "“,”", "$END": "the end"}
    return (*_OPERATOR, *(word for name, word in others.items() if name in terminals))


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
