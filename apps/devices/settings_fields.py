"""Form fields for the settings of a kind of device, and of commands to it, made from its driver's schema.

Nothing here knows any kind: what a setting is called, whether it is a number, a choice, a list or a secret,
and where its bounds are, the driver's `Config` says.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn, cast

from django import forms
from django.core.exceptions import ValidationError
from msgspec import inspect
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordToggleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from collectors import drivers

PREFIX = "setting_"
"""Begins the name of each setting's field, so that none is taken for a field of the device."""
CLEAR = "clear_"
"""Begins the name of the box that removes a stored secret."""

BEGINS_JSON = ("{", "[", '"')


@dataclass(frozen=True)
class Entry:
    """One setting with the shape of its values, freed of what its form does not need."""

    setting: drivers.Setting
    shape: inspect.Type
    example: Any

    @property
    def name(self) -> str:
        """The name of its form field."""
        return PREFIX + self.setting.name

    @property
    def clear(self) -> str:
        """The name of the box that removes it."""
        return CLEAR + self.setting.name


def entries(kind: str) -> list[Entry]:
    """The settings of a kind in the order of their declaration. Raises drivers.ConfigError."""
    module = drivers.load(kind)
    return _entries(module.Config, module.EXAMPLE)


def entries_of(command: type[drivers.Command]) -> list[Entry]:
    """The settings of a command in the order of their declaration."""
    return _entries(command, {})


def _entries(struct: type[drivers.Config] | type[drivers.Command], example: Mapping[str, Any]) -> list[Entry]:
    schema = cast(inspect.StructType, inspect.type_info(struct))
    return [
        Entry(setting, _bare(field.type), example.get(setting.name))
        for setting, field in zip(drivers.settings_of(struct), schema.fields, strict=True)
    ]


def fields_of(kind: str, *, stored: Collection[str]) -> dict[str, forms.Field]:
    """The form fields of a kind by name; `stored` names the secrets that an empty field keeps."""
    return fields_for(entries(kind), stored=stored)


def fields_for(asked: Iterable[Entry], *, stored: Collection[str] = ()) -> dict[str, forms.Field]:
    """The form fields of settings by name."""
    fields: dict[str, forms.Field] = {}
    for entry in asked:
        if not entry.setting.secret:
            fields[entry.name] = _field(entry)
            continue
        kept = entry.setting.name in stored
        fields[entry.name] = _secret(entry, kept=kept)
        if kept and not entry.setting.required:
            label = f"Remove the stored {entry.setting.title[:1].lower()}{entry.setting.title[1:]}"
            fields[entry.clear] = forms.BooleanField(
                label=label, required=False, widget=UnfoldBooleanWidget()
            )
    return fields


def initial_of(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields show for a stored configuration, which holds no secrets."""
    shown = {PREFIX + name: value for name, value in config.items()}
    switches = {entry.name: entry.setting.default for entry in entries(kind) if _always_set(entry)}
    return switches | shown


def config_from(kind: str, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that a valid form means. What was left empty is left out; null removes a secret."""
    return values_from(entries(kind), cleaned)


def values_from(asked: Iterable[Entry], cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """The values of settings by name that a valid form means."""
    config: dict[str, Any] = {}
    for entry in asked:
        value = cleaned.get(entry.name)
        if cleaned.get(entry.clear):
            config[entry.setting.name] = None
        elif not _says_nothing(entry, value):
            config[entry.setting.name] = value
    return config


def _says_nothing(entry: Entry, value: Any) -> bool:
    """Empty, or the default of a setting whose field cannot be empty."""
    return value in (None, "") or (_always_set(entry) and in_form(value) == in_form(entry.setting.default))


def _always_set(entry: Entry) -> bool:
    """Whether the field has no empty state, so that the default has to be shown and not hinted at."""
    choice = isinstance(entry.shape, inspect.BoolType | inspect.LiteralType | inspect.EnumType)
    return choice and not entry.setting.required and entry.setting.default is not None


def _bare(shape: inspect.Type) -> inspect.Type:
    """Without its titles, and without the null that only says it may be left out."""
    if isinstance(shape, inspect.Metadata):
        return _bare(shape.type)
    if isinstance(shape, inspect.UnionType):
        meant = tuple(one for one in shape.types if not isinstance(one, inspect.NoneType))
        return _bare(meant[0]) if len(meant) == 1 else inspect.UnionType(meant)
    return shape


def _field(entry: Entry) -> forms.Field:
    match entry.shape:
        case inspect.BoolType():
            return _yes_or_no(entry)
        case inspect.LiteralType(values=values):
            return _choice(entry, [value for value in values if value is not None])
        case inspect.EnumType(cls=cls):
            return _choice(entry, [member.value for member in cls])
        case inspect.IntType() | inspect.FloatType():
            return _number(entry, entry.shape)
        case inspect.ListType(item_type=item) | inspect.SetType(item_type=item):
            return Lines(item=_bare(item), widget=_area(entry, rows=8), **_common(entry))
        case inspect.StrType(max_length=longest):
            return forms.CharField(max_length=longest, widget=_line(entry), **_common(entry))
        case inspect.UnionType(types=types) if any(isinstance(one, inspect.StrType) for one in types):
            return forms.CharField(widget=_line(entry), **_common(entry))
    return Json(widget=_area(entry, rows=6), **_common(entry))


def _common(entry: Entry) -> dict[str, Any]:
    setting = entry.setting
    return {"label": setting.title, "help_text": setting.help, "required": setting.required}


def _attrs(entry: Entry, **more: Any) -> dict[str, Any]:
    """A hint of what happens to an empty field, and what the example puts there."""
    default = entry.setting.default
    hint = entry.example if default is None or entry.setting.required else default
    attrs = {"spellcheck": "false", "autocomplete": "off", **more}
    if hint is not None:
        attrs["placeholder"] = in_form(hint)
    if entry.example is not None:
        attrs["data-example"] = in_form(entry.example)
    return attrs


def _line(entry: Entry) -> forms.Widget:
    return cast(forms.Widget, UnfoldAdminTextInputWidget(attrs=_attrs(entry)))


def _area(entry: Entry, *, rows: int) -> forms.Widget:
    return cast(forms.Widget, UnfoldAdminTextareaWidget(attrs=_attrs(entry, rows=rows)))


def _number(entry: Entry, shape: inspect.IntType | inspect.FloatType) -> forms.Field:
    bounds: dict[str, Any] = {"min_value": shape.ge, "max_value": shape.le}
    if isinstance(shape, inspect.IntType):
        widget = UnfoldAdminIntegerFieldWidget(attrs=_attrs(entry))
        return forms.IntegerField(widget=widget, **bounds, **_common(entry))
    widget = UnfoldAdminDecimalFieldWidget(attrs=_attrs(entry, step="any"))
    return forms.FloatField(widget=widget, **bounds, **_common(entry))


def _yes_or_no(entry: Entry) -> forms.Field:
    if entry.setting.required or isinstance(entry.setting.default, bool):
        widget = UnfoldBooleanWidget(attrs={"data-example": in_form(entry.example)})
        return forms.BooleanField(widget=widget, **{**_common(entry), "required": False})
    return _choice(entry, [True, False])


def _choice(entry: Entry, values: list[Any]) -> forms.Field:
    offered = {in_form(value): value for value in values}
    empty = [] if _always_set(entry) else [("", "—")]
    choices = [*empty, *((text, text) for text in offered)]
    widget = UnfoldAdminSelectWidget(attrs={"data-example": in_form(entry.example)})
    return Choice(offered, choices=choices, widget=widget, **_common(entry))


def _secret(entry: Entry, *, kept: bool) -> forms.Field:
    """Never filled in: the stored value does not leave the server."""
    attrs = {"autocomplete": "new-password", "spellcheck": "false"}
    if kept:
        attrs["placeholder"] = "Stored. Leave empty to keep it."
    common = {**_common(entry), "required": entry.setting.required and not kept}
    return forms.CharField(strip=False, widget=UnfoldAdminPasswordToggleWidget(attrs=attrs), **common)


def in_form(value: Any) -> str:
    """A value of a configuration as a form writes it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Enum():
            return in_form(value.value)
        case str():
            return value
        case list() | tuple() | set() | frozenset():
            return "\n".join(_in_line(item) for item in value)
        case int() | float():
            return str(int(value)) if value == int(value) else str(value)
    return json.dumps(value, indent=2, ensure_ascii=False)


def _in_line(item: Any) -> str:
    plain = isinstance(item, str) and item and item == item.strip() and not item.startswith(BEGINS_JSON)
    return item if plain and "\n" not in item else json.dumps(item, ensure_ascii=False)


def sentence(problem: str) -> str:
    """What a driver says of a setting, to stand beside it: “is required” is “This setting is required.”"""
    if problem.startswith(("is ", "has ", "names ", "must ")):
        problem = f"this setting {problem}"
    return f"{problem[:1].upper()}{problem[1:]}" + ("" if problem.endswith((".", "!", "?")) else ".")


class Choice(forms.ChoiceField):
    """One of values that are shown as text; empty is None."""

    def __init__(self, offered: Mapping[str, Any], **options: Any) -> None:
        self.offered = offered
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return value if value in self.offered else in_form(value)

    def clean(self, value: Any) -> Any:
        """The value that the text stands for."""
        return self.offered.get(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare as text, which is what comes back."""
        return super().has_changed(in_form(initial), data)


class Lines(forms.CharField):
    """A list with an item on each line: names as they are, everything else as JSON."""

    def __init__(self, *, item: inspect.Type, **options: Any) -> None:
        types = item.types if isinstance(item, inspect.UnionType) else (item,)
        self.words = any(isinstance(one, inspect.StrType) for one in types)
        self.objects = any(not isinstance(one, inspect.StrType) for one in types)
        super().__init__(**options)
        self.help_text = f"{self.help_text} One on each line{self._form_of_objects()}.".strip()

    def _form_of_objects(self) -> str:
        if not self.objects:
            return ""
        return '; an object is written {"name": …}' if self.words else ", as JSON"

    def prepare_value(self, value: Any) -> Any:
        return in_form(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        lines = enumerate((super().to_python(value) or "").splitlines(), 1)
        items = [self._item(number, line.strip()) for number, line in lines if line.strip()]
        return items or None

    def validate(self, value: Any) -> None:
        if self.required and value is None:
            raise ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """Those of text have nothing to say about a list."""

    def _item(self, number: int, line: str) -> Any:
        if self.words and not line.startswith(BEGINS_JSON if self.objects else '"'):
            return line
        return load_json(line, place=f" in line {number}")


class Typed(str):
    """What a person typed, to be shown again as it is."""

    __slots__ = ()


class Json(forms.CharField):
    """Any JSON."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        return Typed(data or "")

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, Typed):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return load_json(text) if text else None

    def validate(self, value: Any) -> None:
        if self.required and value is None:
            raise ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """Those of text have nothing to say about an object."""


def load_json(text: str, *, place: str = "") -> Any:
    """Decode what a person typed. Raises ValidationError that says where it stops being JSON."""
    try:
        return json.loads(text, parse_constant=_not_json)
    except json.JSONDecodeError as error:
        where = place or f" at line {error.lineno}, column {error.colno}"
        raise ValidationError(f"This is not JSON{where}: {error.msg}.", code="invalid") from None
    except (RecursionError, ValueError) as error:
        raise ValidationError(f"This is not JSON{place}: {error}.", code="invalid") from None


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
