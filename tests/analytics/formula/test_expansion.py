"""Items written out: an item is its text in brackets, and no circle or growth gets through."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given

from apps.analytics.formula import FormulaError, cycle, expand, parse, references, text
from apps.analytics.formula.nodes import Field, Node
from tests.analytics.formula.building import NODES


def items(**texts: str) -> dict[str, Node]:
    return {name: parse(formula) for name, formula in texts.items()}


def ring(length: int) -> dict[str, Node]:
    return {f"a{n}": parse(f"1 + analytics.a{(n + 1) % length}") for n in range(length)}


def fault(formula: str, known: dict[str, Node]) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        expand(parse(formula), known)
    return caught.value


def test_an_item_is_its_text_in_brackets():
    known = items(net="a.x - b.y", double="analytics.net*2")
    assert expand(parse("1 - analytics.double/analytics.net"), known) == parse(
        "1 - ((a.x - b.y)*2)/(a.x - b.y)"
    )


@given(NODES)
def test_any_item_is_its_text_in_brackets(node: Node):
    known = {"solar": parse("e.s"), "load": parse("e.l - 1"), "it": node}
    try:
        expanded = expand(parse("2*analytics.it"), known)
    except FormulaError as error:
        assert "not a finite number" in error.message  # noqa: PT017  random constants may be infinite
    else:
        assert expanded == expand(parse(f"2*({text(node)})"), known)


def test_what_names_no_item_stays_itself():
    assert expand(parse("a.x + 1"), {}) == parse("a.x + 1")


@pytest.mark.parametrize("length", [1, 2, 3, 50, 5_000])
def test_a_circle_of_any_length_is_told(length):
    before = process_time()
    error = fault("2 * analytics.a0", ring(length))
    assert process_time() - before < 1
    assert "circle" in error.message
    assert error.message.count("a0") == 2
    assert error.column == 5


def test_a_circle_that_is_reached_from_outside_is_told():
    assert (
        "b → c → b" in fault("analytics.a", items(a="analytics.b", b="analytics.c", c="analytics.b")).message
    )


@pytest.mark.parametrize(("name", "way"), [("a", ["a", "b", "a"]), ("c", None), ("d", ["d", "d"])])
def test_an_item_is_asked_whether_it_reaches_itself(name, way):
    known = items(a="analytics.b + analytics.gone", b="analytics.a", c="analytics.a", d="analytics.d")
    assert cycle(name, known) == way


def test_a_circle_is_found_however_long():
    assert len(cycle("a0", ring(5_000)) or ()) == 5_001


def test_a_missing_item_is_told_with_its_place():
    error = fault("1 + analytics.gone", {})
    assert (error.column, "“gone”" in error.message) == (5, True)


def test_a_missing_item_of_an_item_is_told_with_who_names_it():
    error = fault("analytics.a", items(a="analytics.gone"))
    assert "“gone”, which analytics.a names" in error.message


def test_doubling_without_end_is_refused():
    known = {f"a{n}": parse(f"analytics.a{n + 1} + analytics.a{n + 1}") for n in range(60)}
    before = process_time()
    error = fault("analytics.a0", known | items(a60="a.x"))
    assert process_time() - before < 1
    assert "parts" in error.message


def test_items_too_deep_are_refused():
    known = {f"a{n}": parse(f"analytics.a{n + 1} + 1") for n in range(200)}
    assert "nested too deep" in fault("analytics.a0", known | items(a200="a.x")).message


def test_a_long_chain_of_names_alone_is_fine():
    known = {f"a{n}": parse(f"analytics.a{n + 1}") for n in range(5_000)}
    assert expand(parse("analytics.a0"), known | items(a5000="a.x")) == Field("a", "x")


def test_what_is_infinite_only_together_is_refused():
    assert "finite" in fault("a.x*(analytics.k*analytics.k)", items(k="1e200")).message


def test_references_are_listed_once_in_the_order_of_the_text():
    found = references(parse("b.y + a.x*analytics.n - avg(events.ev::T.d, 1000)/b.y + analytics.n"))
    assert [text(one) for one in found.series] == ["b.y", "a.x"]
    assert [text(one) for one in found.events] == ["events.ev::T.d"]
    assert [text(one) for one in found.items] == ["analytics.n"]
    assert found.sources == {"a", "b", "ev"}
