"""What points are: by name, by unit, by class, and not at all where there is doubt."""

from __future__ import annotations

import pytest

from apps.meters.acquisuite import ini, mapping
from apps.meters.acquisuite.classes import CLASSES
from apps.meters.acquisuite.logfile import Column
from apps.meters.acquisuite.mapping import Known
from apps.meters.acquisuite.points import ROLES, factor, guess

BY_NUMBER = {one.number: one for one in CLASSES}


@pytest.mark.parametrize(
    ("name", "unit", "role"),
    [
        ("kWh", "KWh", "energy"),
        ("Energy Consumption", "kWh", "energy"),
        ("Accumulated Real Energy Net", "kWh", "energy_net"),
        ("Real Energy Quadrants 1 & 4, Import", "kWh", "energy_import"),
        ("kWh rec", "kWh", "energy_export"),
        ("Real Power", "kW", "power"),
        ("Total Net Instantaneous Real Power", "kW", "power"),
        ("Real Power", "W", "power"),
        ("Reactive Power", "kVAR", "reactive_power"),
        ("Apparent Power", "KVA", "apparent_power"),
        ("Total Power Factor", "", "power_factor"),
        ("Power Factor, Phase A", "%", "power_factor_a"),
        ("Voltage, Line to Line", "Volts", "voltage_ll"),
        ("Voltage, L-N 3p Ave", "V", "voltage_ln"),
        ("Voltage Phase A-N", "Volts", "voltage_a"),
        ("Voltage Phase A-B", "Volts", "voltage_ab"),
        ("Current, Phase C", "Amps", "current_c"),
        ("Average Demand", "kW", "demand"),
        ("Maximum Demand", "kW", "demand.max"),
        ("Frequency", "Hz", "frequency"),
    ],
)
def test_names_tell_roles(name: str, unit: str, role: str) -> None:
    found = guess(name, unit)
    assert found is not None
    assert found.name == role


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Outside air", "deg F"),
        ("Voltage A-N THD", "%"),
        ("Real Power", "gallons"),
        ("Energy MSW", ""),
        ("kVA demand", "kVA"),
        ("Peak Current", "A"),
        ("Reactive Energy", "VARh"),  # E51s say VARh and mean kVARh
        ("Apparent Energy", "VAh"),
        ("Real Energy, Phase A", "kWh"),
        ("-", ""),
        ("", ""),
    ],
)
def test_where_there_is_doubt_people_are_asked(name: str, unit: str) -> None:
    assert guess(name, unit) is None


@pytest.mark.parametrize(
    ("role", "unit", "expected"),
    [
        ("power", "kW", 1),
        ("power", "W", 0.001),
        ("power", "", 1),
        ("energy", "Wh", 0.001),
        ("energy", "MWh", 1000),
        ("power_factor", "%", 0.01),
        ("power_factor", "", 1),
        ("voltage_ll", "kV", 1000),
        ("current", "Amps", 1),
        ("power", "kWh", None),
        ("frequency", "%", None),
    ],
)
def test_factors_turn_values_into_the_roles_unit(role: str, unit: str, expected: float | None) -> None:
    assert factor(ROLES[role], unit) == expected


@pytest.mark.parametrize(
    ("number", "points"),
    [
        (2, {0: "energy", 1: "power", 4: "power_factor", 7: "current", 10: "power_c", 13: "power_factor_c"}),
        (2, {14: "voltage_ab", 17: "voltage_a", 20: "current_a", 23: "demand", 25: "demand.max"}),
        (7, {8: "frequency", 9: "power_a", 20: "voltage_c", 24: "current_n", 25: "demand"}),
        (48, {0: "energy_net", 1: "energy_import", 2: "energy_export", 10: "power", 11: "reactive_power"}),
        (48, {13: "power_factor", 18: "demand", 51: "power_a", 63: "voltage_ab", 66: "voltage_a"}),
        (12, {19: "power", 23: "reactive_power", 31: "power_factor", 48: "energy_import", 14: "frequency"}),
        (4, {0: "energy", 1: "power"}),
    ],
)
def test_the_vendors_classes(number: int, points: dict[int, str]) -> None:
    assert points.items() <= BY_NUMBER[number].roles.items()


def test_every_class_is_sound() -> None:
    assert len(BY_NUMBER) == len(CLASSES)
    for one in CLASSES:
        assert set(one.roles.values()) <= ROLES.keys()
        assert len(set(one.roles.values())) == len(one.roles)
        assert max(one.roles, default=-1) < (one.width or 1024)
        assert all(factor(ROLES[one.roles[number]], unit) is not None for number, unit in one.units.items())


class TestTargets:
    def test_by_class_alone(self) -> None:
        known = BY_NUMBER[12]
        found = mapping.targets(Known(64, roles=known.roles, units=known.units))
        assert (found[19].field, found[19].unit, found[19].factor) == ("power", "kW", 1)
        assert (found[31].field, found[31].unit, found[31].factor) == ("power_factor", "1", 0.01)
        assert (found[12].field, found[12].unit) == ("point_12", "")

    def test_names_win_over_the_class(self) -> None:
        named = {1: ini.Point("Reactive Power", "kVAR"), 2: ini.Point("Real Power", "kW")}
        found = mapping.targets(Known(3, configured=named, roles=BY_NUMBER[2].roles))
        assert [one.field for one in found] == ["energy", "reactive_power", "power"]

    def test_the_configuration_wins_over_the_header(self) -> None:
        known = Known(1, configured={0: ini.Point("Frequency", "Hz")}, header=[Column("Real Power", "kW")])
        assert [one.field for one in mapping.targets(known)] == ["frequency"]

    def test_a_name_that_says_nothing_leaves_it_to_the_class(self) -> None:
        known = Known(2, header=[Column("Tenant 4 register", "kWh"), Column("Tenant 4", "kW")])
        found = mapping.targets(Known(2, header=known.header, roles=BY_NUMBER[4].roles))
        assert [(one.field, one.name) for one in found] == [
            ("energy", "Tenant 4 register"),
            ("power", "Tenant 4"),
        ]

    def test_a_unit_that_contradicts_the_class_keeps_the_name(self) -> None:
        found = mapping.targets(Known(1, header=[Column("Water", "gallons")], roles={0: "energy"}))
        assert (found[0].field, found[0].role, found[0].unit) == ("Water", "", "gallons")
        assert found[0].kind == "counter"

    def test_unused_points_are_skipped(self) -> None:
        found = mapping.targets(Known(2, configured={0: ini.Point("-"), 1: ini.Point("kW", "kW")}))
        assert [(one.used, one.role) for one in found] == [(False, ""), (True, "power")]

    def test_of_two_that_seem_the_same_the_one_the_class_agrees_with_is_it(self) -> None:
        header = [Column("Real Power", "kW"), Column("Real Power", "kW")]
        assert [one.role for one in mapping.targets(Known(2, header=header, roles={1: "power"}))] == [
            "",
            "power",
        ]
        assert [one.role for one in mapping.targets(Known(2, header=header))] == ["", ""]

    def test_fields_differ_even_where_names_do_not(self) -> None:
        header = [Column("Zone"), Column("Zone"), Column("power"), Column("_x\0y")]
        found = mapping.targets(Known(4, header=header))
        assert [one.field for one in found][:2] == ["Zone (0)", "Zone (1)"]
        assert len({one.field for one in found}) == 4
        assert not any(one.field.startswith("_") for one in found)


class TestIni:
    TEXT = (
        "POINT00NAME=kWh 100%\r\nPOINT00UNITS=KWh\r\nPOINT00LOW=0\r\nPOINT00HIGH=0\r\nPOINT01NAME=-\r\n"
        "point374NAME=Last\r\nPOINT9999NAME=x\r\nPOINT00CONSOLE=YES\r\nnonsense\r\n=\r\n"
    )

    def test_points_are_known_by_number(self) -> None:
        found = ini.points(self.TEXT)
        assert list(found) == [0, 1, 374]
        assert found[0] == ini.Point("kWh 100%", "KWh", "0", "0")
        assert (found[0].used, found[1].used) == (True, False)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("LOGPERIOD=15", 900),
            ("logperiod = 1", 60),
            ("LOGPERIOD=0", None),
            ("LOGPERIOD=x", None),
            ("", None),
        ],
    )
    def test_the_log_period_is_in_minutes(self, text: str, seconds: int | None) -> None:
        assert ini.log_period(text) == seconds

    def test_secrets_are_masked(self) -> None:
        text = (
            "LOOPNAME=Tower\r\nADMINPASSWORD=hunter2\r\npassword = swordfish\r\nWIFIPSK=abc\r\nPASSWORD2=\r\n"
        )
        masked = ini.redacted(text)
        assert "Tower" in masked
        for secret in ("hunter2", "swordfish", "abc"):
            assert secret not in masked

    def test_what_moved_is_told_and_what_is_there_twice_is_not(self) -> None:
        before = {0: "kWh", 1: "kW", 2: "Zone", 3: "Zone", 4: "-"}
        assert ini.moved(before, {0: "kW", 1: "kWh", 2: "Zone", 3: "Zone", 4: "-"}) == ["kW", "kWh"]
        assert ini.moved(before, {0: "Main kWh", 1: "kW", 3: "Zone", 2: "-"}) == []
