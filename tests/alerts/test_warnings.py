"""Which warnings are the same, and when one begins and ends."""

from __future__ import annotations

import itertools

import pytest

from apps.alerts.warnings import FORGOTTEN_AFTER, Report, Spell, read, spells, text_class


class TestClasses:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("no answer in 5 s", "no answer in 12.5 s"),
            ("Timed out: http://192.168.1.20:80/x", "Timed out: http://10.0.0.7:8080/x"),
            ("Timed out: 192.168.1.20", "Timed out: 192.168.1.20:8080"),
            ("bad CRC 0x1F", "bad CRC 0xdeadbeef"),
            ("frame 00ff12ab34 is short", "frame 7e0012ab3499 is short"),
            ("peer aa:bb:cc:dd:ee:ff is gone", "peer 00:11:22:33:44:55 is gone"),
            ("peer fe80::1ff:fe23:4567:890a", "peer 2001:db8::1"),
            ("device 123e4567-e89b-12d3-a456-426614174000", "device 00000000-e89b-12d3-a456-426614174999"),
            ("lost 1,000 rows", "lost 23 rows"),
            ("it is -5 °C", "it is 12 °C"),
            ("too   many\nspaces", "too many spaces"),
        ],
    )
    def test_numbers_addresses_and_hex_make_no_difference(self, one: str, other: str) -> None:
        assert text_class(one) == text_class(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("connection refused", "connection reset"),
            ("Register A is gone", "Register B is gone"),
            ("bad face", "bad decade"),
        ],
    )
    def test_words_do(self, one: str, other: str) -> None:
        assert text_class(one) != text_class(other)

    def test_a_class_fits_its_column_however_long_the_text(self) -> None:
        assert len(text_class("x" * 60_000)) <= 200

    @pytest.mark.parametrize("data", [{}, {"data": 5}, {"data": None}, {"cleared": "yes"}])
    def test_any_data_is_read(self, data: dict[str, object]) -> None:
        assert read(1, data) == Report(1, "", cleared=False)


def warned(stamp: int, text: str = "x") -> Report:
    return Report(stamp, text, cleared=False)


def over(stamp: int) -> Report:
    return Report(stamp, "x", cleared=True)


class TestSpells:
    def test_a_warning_lasts_until_it_is_cleared(self) -> None:
        assert spells(None, [warned(10)], 20) == [Spell(10, 10, "x")]
        assert spells(Spell(10, 10, "x"), [over(15)], 20) == [Spell(10, 10, "x", 15)]

    def test_order_does_not_matter(self) -> None:
        reports = [warned(10), over(15), warned(30), warned(32), over(40), warned(50)]
        expected = [Spell(10, 10, "x", 15), Spell(30, 32, "x", 40), Spell(50, 50, "x")]
        for shuffled in itertools.permutations(reports):
            assert spells(None, shuffled, 60) == expected

    def test_repeats_renew_it_with_the_newest_text(self) -> None:
        assert spells(Spell(10, 10, "5 rows"), [warned(12, "7 rows")], 20) == [Spell(10, 12, "7 rows")]

    @pytest.mark.parametrize("known", [Spell(10, 12, "x", 15), Spell(10, 20, "x")])
    def test_what_is_told_again_changes_nothing(self, known: Spell) -> None:
        assert spells(known, [warned(10), warned(12), over(15)], 30) == [known]

    def test_the_end_of_nothing_is_nothing(self) -> None:
        assert spells(None, [over(5)], 20) == []
        assert spells(Spell(10, 10, "x", 15), [over(17)], 20) == [Spell(10, 10, "x", 15)]

    def test_at_the_same_instant_it_is_over(self) -> None:
        assert spells(None, [over(10), warned(10)], 20) == [Spell(10, 10, "x", 10)]

    def test_what_nobody_repeats_for_a_day_is_over(self) -> None:
        known = Spell(10, 20, "x")
        assert spells(known, [], 20 + FORGOTTEN_AFTER) == [known]
        [ended] = spells(known, [], 21 + FORGOTTEN_AFTER)
        assert ended.cleared_at == 20 + FORGOTTEN_AFTER
