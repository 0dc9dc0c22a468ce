"""What formulas mean, and what is said of those that mean nothing."""

from __future__ import annotations

from time import process_time

import pytest

from apps.analytics.formula import MAX_LENGTH, Events, Field, FormulaError, Item, parse
from apps.analytics.formula.constants import constant
from apps.analytics.formula.nodes import Call, Chain, Negative, Number, Power

X, Y = Field("a", "x"), Field("b", "y")


def fault(text: str) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    return caught.value


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("2", 2),
            (".5", 0.5),
            ("1.", 1),
            ("0.25", 0.25),
            ("1e-3", 0.001),
            ("1E3", 1000),
            ("1e+3", 1000),
            ("2^3^2", 512),
            ("2^-2", 0.25),
            ("2^-1^2", 0.5),
            ("-2^2", -4),
            ("(-2)^2", 4),
            ("6/3/2", 1),
            ("6/3*2", 4),
            ("2-3-4", -5),
            ("2-(3-4)", 3),
            ("+-2", -2),
            ("--2", 2),
            ("-+-2", 2),
            ("1-+-2", 3),
            ("E", pytest.approx(2.718281828459045)),
            ("pi", pytest.approx(3.141592653589793)),
            ("sin(0)", 0),
            ("cos(PI)", -1),
            ("abs(-3)", 3),
            ("pos(3)", 3),
            ("pos(-3)", 0),
            ("neg(-3)", -3),
            ("exp(0)", 1),
            ("tan(0)", 0),
            ("avg(5, 1000)", 5),
            (" 1 \n +\t2 ", 3),
        ],
    )
    def test_arithmetic_without_series_has_a_value(self, text, value):
        assert constant(parse(text)) == value

    def test_what_reads_a_series_has_none(self):
        assert constant(parse("a.x*0")) is None

    @pytest.mark.parametrize(
        ("text", "column"),
        [
            ("9^9^9", 1),
            ("1/0", 1),
            ("0/0", 1),
            ("2 + a.x*(1/0)", 10),
            ("1/0*a.x", 1),
            ("a.x - (0-8)^.5", 8),
            ("exp(1000)", 1),
            ("a.x+9^9^9", 5),
            ("1e999", 1),
        ],
    )
    def test_a_part_that_is_not_finite_is_refused_at_its_place(self, text, column):
        assert fault(text).column == column


class TestNames:
    @pytest.mark.parametrize(
        ("text", "node"),
        [
            ("egauge.A.Solar", Field("egauge", "A.Solar")),
            ('egauge."A.Grid Power"', Field("egauge", "A.Grid Power")),
            ('egauge.A."Grid Power"', Field("egauge", "A.Grid Power")),
            ('m."say ""no"""', Field("m", 'say "no"')),
            ("meter.1", Field("meter", "1")),
            ("meter._quality", Field("meter", "_quality")),
            ("e.x", Field("e", "x")),
            ("pi.x", Field("pi", "x")),
            ("avg.x", Field("avg", "x")),
            ("Analytics.x", Field("Analytics", "x")),
            ("analytics.solar", Item("solar")),
            ("events.::X", Events((), ("X",))),
            ("events.::", Events()),
            ("events.ev1::", Events(("ev1",))),
            (
                "events.ev1:ev2::EV_END_CHARGING.duration",
                Events(("ev1", "ev2"), ("EV_END_CHARGING",), ("duration",)),
            ),
            ("events.::A:B.x.y", Events((), ("A", "B"), ("x", "y"))),
            ('events.::"door: open"."at: home"', Events((), ("door: open",), ("at: home",))),
        ],
    )
    def test_series_items_and_events(self, text, node):
        assert parse(text) == node

    def test_a_minus_is_never_part_of_a_name(self):
        assert parse("a.x-b.y") == parse("a.x - b.y") == Chain(X, (("-", Y),))

    def test_leaves_know_where_they_stand(self):
        node = parse("1 + a.x")
        assert isinstance(node, Chain)
        assert node.rest[0][1].column == 5


class TestStructure:
    def test_the_power_binds_tighter_than_the_sign(self):
        assert parse("-a.x^2") == Negative(Power(X, Number(2)))

    def test_a_product_binds_tighter_than_a_sum(self):
        assert parse("1+a.x*2") == Chain(Number(1), (("+", Chain(X, (("*", Number(2)),))),))

    def test_a_function_may_hold_anything(self):
        assert parse("avg(pos(a.x), 60*1000)") == Call(
            "avg", (Call("pos", (X,)), Chain(Number(60), (("*", Number(1000)),)))
        )

    def test_brackets_alone_change_nothing(self):
        assert parse("((a.x))") == X


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "column", "says"),
        [
            ("", 1, "empty"),
            ("  ", 1, "empty"),
            ("1+", 3, "a number, a series"),
            ("(1", 3, "closing bracket"),
            ("1)", 2, "“)” cannot stand here"),
            ("a.x b.y", 5, "“b.y” cannot stand here"),
            ("2(a.x)", 2, "“(”"),
            ("a.x ** 2", 6, "“*”"),
            ("=5", 1, "“=”"),
            ("1e=3", 2, "“e”"),
            ("a.x % 2", 5, "Divide by 100"),
            ("1,5", 2, "“,”"),
            ("a.", 2, "both sides of each dot"),
            ("a..x", 2, "both sides of each dot"),
            ("_a.x", 1, "“_”"),
            ("é.x", 1, "quotes"),
            ('a."x', 2, "“.”"),
            ("solar", 1, "source.field"),
            ("a.Grid-Power", 8, "quotes"),
            ("a.x\n+ Power", 7, "“Power”"),
            ("foo(1)", 1, "sin, cos, tan"),
            ("SIN(1)", 1, "“SIN”"),
            ("1+sin", 3, "sin(x)"),
            ("sin(1, 2)", 1, "one argument, not 2"),
            ("avg(a.x)", 1, "avg(x, period in ms)"),
            ("sin()", 5, "a number"),
            ("avg(a.x, b.y)", 10, "constant"),
            ("avg(a.x, 0)", 10, "from 1 to"),
            ("avg(a.x, -1)", 11, "from 1 to"),
            ("avg(a.x, 1.5)", 10, "whole"),
            ("avg(a.x, 1e12)", 10, "366 days"),
            ("events.x", 1, "events.devices::types"),
            ("analytics.a.b", 1, "“a.b”"),
            ("a.x\0", 4, "no place here"),
        ],
    )
    def test_a_fault_has_its_column_and_says_what_to_do(self, text, column, says):
        error = fault(text)
        assert error.column == column
        assert says in error.message
        assert str(error).startswith(f"Column {column}: ")

    def test_what_could_stand_there_is_listed(self):
        assert fault("a.x b.y").expected == ("+", "-", "*", "/", "^", "the end")
        assert "“)”" in fault("(a.x b.y)").expected
        assert "“(”" in fault("1 +").expected


class TestBounds:
    @pytest.mark.parametrize(
        "text",
        [
            "(" * 10_000 + "1" + ")" * 9_999,
            "(" * 9_000 + "1" + ")" * 9_000,
            "sin(" * 3_000 + "1" + ")" * 3_000,
            "2^" * 9_000 + "2",
            "avg(" * 200 + "a.x" + ",1000)" * 200,
        ],
    )
    def test_nesting_is_bounded_and_answered_at_once(self, text):
        parse("1")  # the grammar is read once
        before = process_time()
        assert "nested too deep" in fault(text).message
        assert process_time() - before < 1

    def test_a_hundred_brackets_are_fine(self):
        assert parse("(" * 100 + "a.x" + ")" * 100) == X

    def test_thousands_of_terms_are_fine(self):
        before = process_time()
        node = parse("+".join(["a.x"] * 5_000))
        assert process_time() - before < 1
        assert isinstance(node, Chain)
        assert len(node.rest) == 4_999

    def test_signs_in_any_number_are_fine(self):
        assert parse("-" * 15_001 + "a.x") == Negative(X)

    def test_a_text_too_long_is_refused_with_its_length(self):
        assert str(MAX_LENGTH + 1) in fault("1" * (MAX_LENGTH + 1)).message
