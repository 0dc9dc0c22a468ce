"""What holds for every kind of device, each read from its simulator."""

import logging
import time
from typing import Any

import msgspec
import pytest

from collectors import drivers
from collectors.simulation import simulator
from collectors.simulation.world import World

START = int(time.time() * 1000) - 3_600_000


@pytest.fixture(params=drivers.kinds())
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_folder_is_a_kind() -> None:
    assert "egauge" in drivers.kinds()
    assert "contract" not in drivers.kinds()


def test_an_unknown_kind_is_told_with_the_known_ones() -> None:
    with pytest.raises(drivers.ConfigError, match="egauge") as caught:
        drivers.load("toaster")
    assert caught.value.field == "type"


@pytest.mark.parametrize("name", ["os", "contract", "registry", "..agent", ""])
def test_only_kinds_can_be_loaded(name: str) -> None:
    with pytest.raises(drivers.ConfigError):
        drivers.load(name)


def test_a_kind_exports_all_that_is_asked(kind: str) -> None:
    module = drivers.load(kind)
    assert module.TITLE
    config = drivers.parse_config(kind, module.EXAMPLE)
    assert module.fields(config)
    module.Driver(config)


def test_every_setting_can_be_shown_to_people(kind: str) -> None:
    for setting in drivers.describe(kind):
        assert setting.title[0].isupper()
        assert setting.help.endswith(".")
        assert setting.type
        assert setting.secret == (setting.name in drivers.secret_fields(kind))


def test_declared_fields_are_those_delivered(kind: str) -> None:
    with simulator(kind, World(3, START)) as device:
        config = drivers.parse_config(kind, device.config)
        result = drivers.load(kind).Driver(config).read()
    readings = result.readings if isinstance(result, drivers.ReadResult) else [drivers.Reading(0, result)]
    declared = {field.name: field for field in drivers.load(kind).fields(config)}
    delivered = {name for reading in readings for name in reading.values}
    assert delivered - {"_length", "_quality"} == set(declared)
    assert ("_length" in delivered) == any(field.kind == "interval" for field in declared.values())


def test_declarations_fit_the_house(kind: str) -> None:
    module = drivers.load(kind)
    for field in module.fields(drivers.parse_config(kind, module.EXAMPLE)):
        assert field.kind in {"gauge", "counter", "interval", "step"}
        assert field.role in {"solar", "battery", "ev", "load", "grid", "soc", None}
        assert field.sign
        assert field.factor != 0
        assert 1 <= len(field.name) <= 200
        assert not field.name.startswith("_")


def with_secrets(kind: str) -> dict[str, Any]:
    """The example with every secret set, and what else must then be there."""
    raw = {**drivers.load(kind).EXAMPLE, **dict.fromkeys(drivers.secret_fields(kind), "s3cret-word")}
    for _ in drivers.describe(kind):
        try:
            drivers.parse_config(kind, raw)
        except drivers.ConfigError as error:
            raw[error.field] = "owner"
    return raw


def test_secrets_are_in_no_repr_no_text_and_no_log(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    config = drivers.parse_config(kind, with_secrets(kind))
    driver = drivers.load(kind).Driver(config)
    logging.getLogger("test").warning("%s %r %r", config, config, driver)
    assert "s3cret-word" not in caplog.text
    assert "s3cret-word" not in drivers.without_secrets("token s3cret-word refused", config)
    assert "s3cret-word" in msgspec.json.encode(config).decode() or not drivers.secret_fields(kind)


def test_errors_in_a_secret_do_not_show_it(kind: str) -> None:
    for name in drivers.secret_fields(kind):
        with pytest.raises(drivers.ConfigError) as caught:
            drivers.parse_config(kind, {**with_secrets(kind), name: ["s3cret-word"]})
        assert caught.value.field == name
        assert "s3cret-word" not in str(caught.value)


def test_a_required_setting_that_is_missing_is_named(kind: str) -> None:
    for setting in drivers.describe(kind):
        if setting.required:
            raw = {key: value for key, value in drivers.load(kind).EXAMPLE.items() if key != setting.name}
            with pytest.raises(drivers.ConfigError, match="is required") as caught:
                drivers.parse_config(kind, raw)
            assert caught.value.field == setting.name


def test_an_unknown_setting_is_refused_naming_the_known(kind: str) -> None:
    known = drivers.describe(kind)[0].name
    with pytest.raises(drivers.ConfigError, match=known) as caught:
        drivers.parse_config(kind, {**drivers.load(kind).EXAMPLE, "colour": "red"})
    assert caught.value.field == "colour"


def test_a_configuration_must_be_an_object(kind: str) -> None:
    with pytest.raises(drivers.ConfigError):
        drivers.parse_config(kind, ["ip"])  # type: ignore[arg-type]
