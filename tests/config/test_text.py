"""Text that PostgreSQL stores, whoever wrote it."""

from __future__ import annotations

import pytest

from config.text import storable


@pytest.mark.parametrize("text", ["", "größe 5 kW·h", "line\nline\ttab", "😀"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


def test_what_postgresql_refuses_is_replaced() -> None:
    assert storable("a\0b\ud800c") == "a\ufffdb?c"


def test_the_rest_is_cut() -> None:
    assert storable("abc", 2) == "ab"
    assert storable("abc", 5) == "abc"
