"""What may stand after the question mark of an address of the API."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from apps.accounts.errors import refusal


class Query(serializers.Serializer[Any]):
    """The parameters of an address. Any other is refused: a misspelt one would change nothing, unnoticed."""

    def to_internal_value(self, data: Any) -> Any:
        for name in data:
            if name not in self.fields:
                raise refusal(name, "unknown_parameter", _unknown(name, self.fields))
        return super().to_internal_value(data)


def no_parameters(request: Request) -> None:
    """Refuse whatever stands after the question mark of an address that knows no parameters."""
    Query(data=request.query_params).is_valid(raise_exception=True)


def _unknown(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(name, names, 1)
    if close:
        return f"There is no parameter “{name}”; did you mean “{close[0]}”?"
    return f"There is no parameter “{name}”; there is: {', '.join(names) or 'none'}."
