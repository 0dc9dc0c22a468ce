"""Find the kinds of devices and turn raw configurations into checked ones."""

import importlib
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from collectors import drivers
from collectors.drivers.contract import Command, Config, ConfigError, DriverModule, secret_names

Parsed = TypeVar("Parsed", bound=msgspec.Struct)

_PLACE = re.compile(r"(.*) - at `\$(.*)`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a kind as forms and help show it; ``default`` is None when ``required``."""

    name: str
    title: str
    help: str
    type: str
    required: bool
    default: Any
    secret: bool


def kinds() -> list[str]:
    """Names of all kinds of devices, in alphabetical order: one folder each."""
    return sorted(found.name for found in pkgutil.iter_modules(drivers.__path__) if found.ispkg)


def load(kind: str) -> DriverModule:
    """The package of a kind. Raises ConfigError naming the known kinds for any other word."""
    if kind not in (known := kinds()):
        raise ConfigError("type", f"there is no kind of device called “{kind}”; known: {', '.join(known)}")
    return cast(DriverModule, importlib.import_module(f"{drivers.__name__}.{kind}"))


def parse_config(kind: str, raw: Mapping[str, Any]) -> Config:
    """Check a configuration as stored or entered. Raises ConfigError naming the setting at fault."""
    config = load(kind).Config
    if not isinstance(raw, Mapping):
        raise ConfigError("config", "must be an object of settings")
    return _parsed(config, raw, kind)


def commands(kind: str) -> dict[str, type[Command]]:
    """What devices of a kind can be told, by action. Raises ConfigError for an unknown kind."""
    told = getattr(load(kind), "COMMANDS", ())
    return {str(command.__struct_config__.tag): command for command in told}


def parse_command(kind: str, raw: Mapping[str, Any]) -> Command:
    """Check a command as stored or entered. Raises ConfigError naming the setting at fault."""
    known = commands(kind)
    if (action := raw.get("action")) not in known:
        offered = f"known: {', '.join(known)}" if known else "it takes none"
        raise ConfigError("action", f"is no command of {kind}; {offered}")
    command = known[str(action)]
    return _parsed(command, {name: raw[name] for name in raw if name != "action"}, command.TITLE)


def _parsed(struct: type[Parsed], raw: Mapping[str, Any], called: str) -> Parsed:
    declared = {field.name: field for field in msgspec.structs.fields(struct)}
    for name in raw:
        if name not in declared:
            raise ConfigError(str(name), f"is not a setting of {called}; known: {', '.join(declared)}")
    for name, field in declared.items():
        if field.required and name not in raw:
            raise ConfigError(name, "is required")
    return struct(**{name: _checked(name, value, declared[name].type) for name, value in raw.items()})


def _checked(name: str, value: Any, expected: Any) -> Any:
    try:
        return msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        text, place = str(error), ""
        if match := _PLACE.fullmatch(text):
            text, place = match.groups()
        text = text[:1].lower() + text[1:].replace("`", "")
        if "matching regex" in text:
            text = f"has not the right form: {expected.__metadata__[0].description}"
        raise ConfigError(name, f"{text} at {name}{place}" if place else text) from None


def secret_fields(kind: str) -> set[str]:
    """Names of a kind's settings whose values are secret."""
    return secret_names(load(kind).Config)


def describe(kind: str) -> list[Setting]:
    """A kind's settings in the order in which they were declared."""
    return settings_of(load(kind).Config)


def settings_of(struct: type[Config] | type[Command]) -> list[Setting]:
    """The settings of a configuration or command in the order in which they were declared."""
    hidden = secret_names(struct)
    info = inspect.type_info(struct)
    return [_setting(field, secret=field.name in hidden) for field in cast(inspect.StructType, info).fields]


def _setting(field: inspect.Field, *, secret: bool) -> Setting:
    about = (field.type.extra_json_schema or {}) if isinstance(field.type, inspect.Metadata) else {}
    return Setting(
        name=field.name,
        title=about.get("title", field.name),
        help=about.get("description", ""),
        type=_in_words(field.type),
        required=field.required,
        default=_default(field),
        secret=secret,
    )


def _default(field: inspect.Field) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is msgspec.NODEFAULT else field.default


def _in_words(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata(type=inner):
            return _in_words(inner)
        case inspect.IntType():
            return "whole number" + _limits(kind)
        case inspect.FloatType():
            return "number" + _limits(kind)
        case inspect.BoolType():
            return "yes or no"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in values)
        case inspect.ListType(item_type=item):
            return f"list of {_in_words(item)}"
        case inspect.UnionType(types=types):
            return " or ".join(_in_words(one) for one in types if not isinstance(one, inspect.NoneType))
        case inspect.StructType(fields=fields):
            return "{" + ", ".join(field.name for field in fields) + "}"
    return "text"


def _limits(kind: inspect.IntType | inspect.FloatType) -> str:
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    limits = [
        f"{word} {bound:g}" for name, word in words.items() if (bound := getattr(kind, name)) is not None
    ]
    return f" ({', '.join(limits)})" if limits else ""
