"""Forms of loggers, devices, meters and assignments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.accounts.models import User
from apps.houses.models import House
from apps.meters import loggers
from apps.meters.acquisuite import mapping, serials
from apps.meters.acquisuite.mapping import Target
from apps.meters.acquisuite.points import ROLES
from apps.meters.models import ROLE_CHOICES, Assignment, Logger, LoggerDevice, Meter
from apps.readings.models import Source

HELP = "The one that is set on the logger. Empty: one is made, and shown once on the next page."
UNSTORED = "-"
BECOMES = [("", "a field of its own name"), (UNSTORED, "nothing: not stored"), *ROLE_CHOICES]


def password_field() -> forms.CharField:
    """A password that people type, to be seen while they do: it is copied from a logger's page."""
    return forms.CharField(
        label="Password",
        required=False,
        max_length=64,
        strip=False,
        help_text=HELP,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


def moment_field(**options: Any) -> forms.SplitDateTimeField:
    """A date and time in UTC."""
    return forms.SplitDateTimeField(widget=UnfoldAdminSplitDateTimeWidget(), **options)


def stamp_of(moment: datetime | None) -> int | None:
    """Unix ms of a time in a form."""
    return None if moment is None else int(moment.timestamp() * 1000)


class PasswordMixin:
    """Checks a typed password as the mutation does."""

    cleaned_data: dict[str, Any]

    def clean_secret(self) -> str:
        """The password. Raises ValidationError."""
        password: str = self.cleaned_data["secret"]
        try:
            return loggers.checked_password(password) if password else ""
        except ValidationError as error:
            raise ValidationError(error.messages) from None


class LoggerForm(PasswordMixin, forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """A logger; house, serial number and password are asked of a new one."""

    secret = password_field()

    class Meta:
        model = Logger
        fields = ["house", "serial", "label", "opens_meters", "log_period_s"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is not None:
            del self.fields["secret"]

    def clean_serial(self) -> str:
        """The one spelling. Raises ValidationError."""
        spelt = serials.normal(self.cleaned_data["serial"])
        if not spelt:
            raise ValidationError("This is no serial number: those have 4 to 32 digits and letters.")
        return spelt


class AdoptForm(PasswordMixin, BaseDialogForm):
    """Whose an unclaimed logger is."""

    house = forms.ModelChoiceField(House.objects.none(), widget=UnfoldAdminSelectWidget)
    label = forms.CharField(
        required=False, max_length=120, widget=UnfoldAdminTextInputWidget, help_text="What people call it."
    )
    secret = password_field()
    opens_meters = forms.BooleanField(
        required=False,
        initial=True,
        label="Opens meters",
        widget=UnfoldBooleanSwitchWidget,
        help_text="Devices of known classes become meters by themselves. Not for a logger that takes"
        " another's place.",
    )

    def __init__(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **options: Any
    ) -> None:
        super().__init__(request, object_id, *args, **options)
        field = cast(Any, self.fields["house"])
        field.queryset = House.objects.visible_to(cast(User, request.user))


class PasswordForm(PasswordMixin, BaseDialogForm):
    """A logger's new password."""

    secret = password_field()


class TakeOverForm(BaseDialogForm):
    """Whose place a logger takes, and from when on."""

    old = forms.ModelChoiceField(
        Logger.objects.none(),
        label="In place of",
        widget=UnfoldAdminSelectWidget,
        help_text="Its meters go on with the devices of this logger at the same addresses.",
    )
    at = moment_field(label="From", help_text="UTC.", initial=timezone.now)

    def __init__(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **options: Any
    ) -> None:
        super().__init__(request, object_id, *args, **options)
        mine = Logger.objects.visible_to(cast(User, request.user))
        house = mine.filter(pk=cast(str, object_id)).values("house")
        others = mine.filter(house__in=house).exclude(pk=cast(str, object_id))
        cast(Any, self.fields["old"]).queryset = others


class MeterForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """A meter: house and name of a new one, and its label."""

    user: User

    house = forms.ModelChoiceField(House.objects.none(), widget=UnfoldAdminSelectWidget)
    name = forms.CharField(
        max_length=64, widget=UnfoldAdminTextInputWidget, help_text=Source._meta.get_field("name").help_text
    )
    label = forms.CharField(
        required=False, max_length=120, widget=UnfoldAdminTextInputWidget, help_text="The name when empty."
    )

    class Meta:
        model = Meter
        fields: list[str] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is None:
            cast(Any, self.fields["house"]).queryset = House.objects.visible_to(self.user)
            return
        self.fields.pop("house", None)
        self.fields.pop("name", None)
        self.initial["label"] = self.instance.source.label

    def clean(self) -> dict[str, Any]:
        """Let the source say what is wrong with the name."""
        cleaned = super().clean() or {}
        if self.instance.pk is None and not self.errors:
            source = Source(house=cleaned["house"], namespace="meter", name=cleaned["name"])
            source.full_clean()
        return cleaned


class AssignmentForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """Which device is which meter, from when to when."""

    from_ = moment_field(label="From", required=False, help_text="UTC. Empty: from the beginning.")
    until = moment_field(label="Until", required=False, help_text="UTC. Empty: it lasts.")

    class Meta:
        model = Assignment
        fields = ["device", "meter"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is not None and "until" in self.fields:
            self.fields.pop("from_", None)
            self.initial["until"] = as_moment(self.instance.ends)

    def stamps(self) -> tuple[int, int | None]:
        """Start and end in ms."""
        return stamp_of(self.cleaned_data.get("from_")) or 0, stamp_of(self.cleaned_data.get("until"))


def as_moment(stamp: int | None) -> datetime | None:
    """The time of a stamp."""
    return None if stamp is None else datetime.fromtimestamp(stamp / 1000, UTC)


class AssignForm(BaseDialogForm):
    """The meter that a device is, one that is there or a new one."""

    meter = forms.ModelChoiceField(
        Meter.objects.none(), required=False, empty_label="a new one", widget=UnfoldAdminSelectWidget
    )
    at = moment_field(label="From", required=False, help_text="UTC. Empty: from the beginning.")

    def __init__(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **options: Any
    ) -> None:
        super().__init__(request, object_id, *args, **options)
        mine = LoggerDevice.objects.visible_to(cast(User, request.user))
        houses = mine.filter(pk=cast(str, object_id)).values("logger__house")
        meters = Meter.objects.filter(source__house__in=houses)
        cast(Any, self.fields["meter"]).queryset = meters.select_related("source")


class PointForm(forms.Form):
    """What one column is."""

    name = forms.CharField(required=False, max_length=120)
    unit = forms.CharField(required=False, max_length=40)
    becomes = forms.ChoiceField(required=False, choices=BECOMES)

    def __init__(self, *args: Any, target: Target, sample: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.target, self.sample = target, sample
        self.initial = {
            "name": target.name,
            "unit": target.sent_unit,
            "becomes": target.role if target.used else UNSTORED,
        }
        for name, field in self.fields.items():
            field.widget.attrs["aria-label"] = f"{name.capitalize()} of point {target.number}"

    def clean(self) -> dict[str, Any]:
        """Build the target, of which the unit may be none of the role's."""
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.target = self._target(cleaned)
            except ValueError as error:
                self.add_error("unit", str(error))
        return cleaned

    def _target(self, cleaned: dict[str, Any]) -> Target:
        becomes = cleaned["becomes"]
        number, name, unit = self.target.number, cleaned["name"].strip(), cleaned["unit"].strip()
        return mapping.named(number, name, unit, ROLES.get(becomes), used=becomes != UNSTORED)


def point_forms(targets: Sequence[Target], samples: Sequence[str], data: Any = None) -> list[PointForm]:
    """A form for each point."""
    return [
        PointForm(data, prefix=f"p{one.number}", target=one, sample=sample)
        for one, sample in zip(targets, samples, strict=True)
    ]
