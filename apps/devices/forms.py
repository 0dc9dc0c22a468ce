"""Forms of devices: what is asked of each, and the settings that its type has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.accounts.models import User
from apps.devices import settings_fields
from apps.devices.commands import send_command
from apps.devices.models import Command, Device
from apps.devices.mutations import create_device, update_device
from apps.houses.confirmation import TypedNameForm
from apps.houses.models import House
from apps.readings.models import Source
from collectors import drivers

ONLY_WHEN_NEW = ("house", "name", "type")


def _complain(form: forms.BaseForm, error: ValidationError) -> None:
    """Put each fault beside what it is about; one of a setting names it."""
    for field, faults in error.update_error_dict({}).items():
        for fault in faults:
            about = fault.params or {}
            setting = settings_fields.PREFIX + str(about.get("setting"))
            if setting in form.fields:
                form.add_error(setting, settings_fields.sentence(about["problem"]))
            else:
                form.add_error(field if field in form.fields else None, fault)


class DeviceForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """A device and the label of its source; `form_for` adds the settings of its type.

    `user`, set by the page, limits the houses to choose from. The mutation itself says what is wrong: it is
    rehearsed on validation and undone again.
    """

    user: User
    kind: str = ""

    house = forms.ModelChoiceField(queryset=House.objects.none(), widget=UnfoldAdminSelectWidget)
    name = forms.CharField(
        max_length=64, widget=UnfoldAdminTextInputWidget, help_text=Source._meta.get_field("name").help_text
    )
    label = forms.CharField(
        max_length=120, required=False, widget=UnfoldAdminTextInputWidget, help_text="The name when empty."
    )
    type = forms.CharField(widget=forms.HiddenInput)
    interval_s = forms.IntegerField(
        label="Interval",
        min_value=1,
        initial=10,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Seconds between two readings.",
    )

    class Meta:
        model = Device
        fields = ["interval_s"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is None:
            cast(Any, self.fields["house"]).queryset = House.objects.visible_to(self.user)
            self.initial["type"] = self.kind
            return
        for name in ONLY_WHEN_NEW:
            self.fields.pop(name, None)
        self.initial["label"] = self.instance.source.label
        if self.kind:
            self.initial.update(settings_fields.initial_of(self.kind, self.instance.config))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            self._rehearse()
        return cleaned

    def perform(self) -> Device:
        """Create or change the device. Raises ValidationError."""
        given = {name: self.cleaned_data[name] for name in DeviceForm.base_fields if name in self.fields}
        if self.kind:
            given["config"] = settings_fields.config_from(self.kind, self.cleaned_data)
        if self.instance.pk is None:
            return create_device(**given, by=self.user)
        return update_device(device=self.instance, **given, by=self.user)

    def _rehearse(self) -> None:
        try:
            with transaction.atomic():
                self.perform()
                transaction.set_rollback(True)
        except ValidationError as error:
            _complain(self, error)

    def _post_clean(self) -> None:
        """The instance is the mutation's to fill: it knows a setting from a secret."""


def form_for(kind: str, device: Device | None = None) -> type[DeviceForm]:
    """The form of a kind of device; of one whose kind is gone, without settings."""
    if kind not in drivers.kinds():
        return DeviceForm
    fields = settings_fields.fields_of(kind, stored=device.secrets if device else ())
    return type("DeviceForm", (DeviceForm,), {**fields, "kind": kind})


VALID_FOR = {60: "a minute", 300: "5 minutes", 3_600: "an hour", 86_400: "a day"}


class CommandForm(forms.Form):
    """The settings of a command, and for how long it holds; `command_form` adds the former.

    `device` and `user` are set by the page.
    """

    device: Device
    user: User
    command: type[drivers.Command]

    valid_for = forms.TypedChoiceField(
        label="Valid for",
        choices=list(VALID_FOR.items()),
        initial=300,
        coerce=int,
        widget=UnfoldAdminSelectWidget,
        help_text="When the agent cannot be reached for so long, nothing is done.",
    )

    def perform(self) -> Command | None:
        """Have it done; None when that is refused, for reasons that then stand in the form."""
        values = settings_fields.values_from(settings_fields.entries_of(self.command), self.cleaned_data)
        try:
            return send_command(
                device=self.device,
                data={"action": self.command.__struct_config__.tag, **values},
                valid_for=timedelta(seconds=self.cleaned_data["valid_for"]),
                now=timezone.now(),
                by=self.user,
            )
        except ValidationError as error:
            _complain(self, error)
            return None


def command_form(device: Device, command: type[drivers.Command], user: User) -> type[CommandForm]:
    """The form of a command to a device."""
    fields = settings_fields.fields_for(settings_fields.entries_of(command))
    own = {"device": device, "command": command, "user": user, "field_order": [*fields, "valid_for"]}
    return type("CommandForm", (CommandForm,), {**fields, **own})


class DeviceNameForm(TypedNameForm):
    """Asks for the name of the device that is to be deleted."""

    def expected(self) -> str:
        """The name to type."""
        return Source.objects.values_list("name", flat=True).get(pk=self.object_id)
