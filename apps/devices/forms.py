"""The form of a device: its settings as JSON, secrets masked."""

from __future__ import annotations

import json
from typing import Any, NoReturn, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.accounts.models import User
from apps.devices.models import Device
from apps.devices.mutations import MASK, create_device, update_device
from apps.houses.models import House
from apps.readings.models import Source
from collectors import drivers

ONLY_WHEN_NEW = ("house", "name", "type")


class ConfigField(forms.CharField):
    """A JSON object as text."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return {}
        try:
            config = json.loads(text, parse_constant=_not_json)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise ValidationError(f"This is not JSON: {error.msg} at {place}.", code="invalid") from None
        except (RecursionError, ValueError) as error:
            raise ValidationError(f"This is not JSON: {error}.", code="invalid") from None
        if not isinstance(config, dict):
            raise ValidationError("This is no JSON object: it begins with { and ends with }.", code="invalid")
        return config


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


class DeviceForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """A device and the label of its source. `user`, set by the page, limits the houses to choose from.

    The mutation itself says what is wrong: it is rehearsed on validation and undone again.
    """

    user: User

    house = forms.ModelChoiceField(queryset=House.objects.none(), widget=UnfoldAdminSelectWidget)
    name = forms.CharField(
        max_length=64, widget=UnfoldAdminTextInputWidget, help_text=Source._meta.get_field("name").help_text
    )
    label = forms.CharField(
        max_length=120, required=False, widget=UnfoldAdminTextInputWidget, help_text="The name when empty."
    )
    type = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="It cannot be changed later.")
    interval_s = forms.IntegerField(
        label="Interval",
        min_value=1,
        initial=10,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Seconds between two readings.",
    )
    config = ConfigField(
        label="Settings",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 14, "spellcheck": "false"}),
        help_text=f"A JSON object. Secrets are shown as {MASK}; left so, or empty, they stay as they are.",
    )

    class Meta:
        model = Device
        fields = ["interval_s"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is None:
            cast(Any, self.fields["house"]).queryset = House.objects.visible_to(self.user)
            cast(Any, self.fields["type"]).choices = [
                (kind, drivers.load(kind).TITLE) for kind in drivers.kinds()
            ]
            return
        for name in ONLY_WHEN_NEW:
            self.fields.pop(name, None)
        self.initial["label"] = self.instance.source.label
        self.initial["config"] = masked(self.instance)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            self._rehearse()
        return cleaned

    def perform(self) -> Device:
        """Create or change the device. Raises ValidationError."""
        given = {name: value for name, value in self.cleaned_data.items() if name in self.fields}
        if self.instance.pk is None:
            return create_device(**given, by=self.user)
        return update_device(device=self.instance, **given, by=self.user)

    def _rehearse(self) -> None:
        try:
            with transaction.atomic():
                self.perform()
                transaction.set_rollback(True)
        except ValidationError as error:
            for field, messages in error.update_error_dict({}).items():
                self.add_error(field if field in self.fields else None, cast(Any, messages))

    def _post_clean(self) -> None:
        """The instance is the mutation's to fill: it knows a setting from a secret."""


def masked(device: Device) -> str:
    """The settings of a device as JSON, with a mask in place of each secret."""
    return json.dumps({**device.config, **dict.fromkeys(device.secrets, MASK)}, indent=2, ensure_ascii=False)
