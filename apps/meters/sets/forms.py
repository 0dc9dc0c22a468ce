"""The form of a meter set: its settings, and a row for each meter. Times are those of the house."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseFormSet, formset_factory
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.houses.models import House
from apps.meters.physics.balance import Role
from apps.meters.physics.power import PfConvention
from apps.meters.sets.definition import FACTORS
from apps.meters.sets.models import MeterSet, SetMember
from apps.meters.sets.mutations import Settings, Spec
from apps.readings.models import Kind, Namespace, Series, Source
from apps.readings.times import milliseconds

BLANK_ROWS = 2
MOST_ROWS = 60
LOCAL = "%Y-%m-%dT%H:%M"

# Short, as they stand in a table; the page says what they mean.
ROLES = [
    ("", "–"),
    (Role.SOLAR, "Solar"),
    (Role.LOAD, "Load"),
    (Role.UTILITY, "Utility"),
    (Role.BATTERY, "Battery"),
    (Role.PLUS, "Added"),
    (Role.MINUS, "Subtracted"),
]
POLARITIES = [(1, "As it says"), (-1, "Reversed")]
CONVENTIONS = [
    (PfConvention.UNSIGNED, "No sign"),
    (PfConvention.IEC, "IEC sign"),
    (PfConvention.IEEE, "IEEE sign"),
    (PfConvention.PERCENT, "Per cent"),
]


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """What holds of the whole set."""

    class Meta:
        model = MeterSet
        fields = [
            "topology",
            "grid_min",
            "tolerance_s",
            "coverage",
            "rating_kva",
            "tare_kw",
            "phases_match",
            "residual_percent",
            "anchor_kwh",
        ]
        widgets = {
            "topology": UnfoldAdminSelectWidget,
            "grid_min": UnfoldAdminSelectWidget,
            "tolerance_s": UnfoldAdminIntegerFieldWidget,
            "coverage": UnfoldAdminDecimalFieldWidget,
            "rating_kva": UnfoldAdminDecimalFieldWidget,
            "tare_kw": UnfoldAdminDecimalFieldWidget,
            "phases_match": UnfoldBooleanSwitchWidget,
            "residual_percent": UnfoldAdminDecimalFieldWidget,
            "anchor_kwh": UnfoldAdminDecimalFieldWidget,
        }

    anchor_at = forms.DateTimeField(
        label="From",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL),
        help_text="When the derived register showed that. Empty: no register is shown.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.anchor_at is not None:
            self.initial["anchor_at"] = _moment(self.instance.anchor_at)

    def settings(self) -> Settings:
        """What was chosen, as the mutations take it."""
        chosen = {**self.cleaned_data, "anchor_at": _stamp(self.cleaned_data["anchor_at"])}
        return cast(Settings, chosen)


class MemberForm(forms.Form):
    """A row; one without a meaning is no member."""

    meter = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    role = forms.ChoiceField(
        label="Measures",
        required=False,
        choices=ROLES,
        widget=UnfoldAdminSelectWidget,
    )
    polarity = forms.TypedChoiceField(
        choices=POLARITIES, coerce=int, initial=1, widget=UnfoldAdminSelectWidget
    )
    pf_convention = forms.ChoiceField(
        label="Power factor", choices=CONVENTIONS, initial="unsigned", widget=UnfoldAdminSelectWidget
    )
    accuracy_percent = forms.FloatField(
        label="Accuracy, %", min_value=0.01, max_value=20, initial=0.5, widget=UnfoldAdminTextInputWidget
    )
    since = forms.DateTimeField(
        label="From",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL),
    )
    until = forms.DateTimeField(
        label="To",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL),
    )

    def __init__(self, *args: Any, choices: Sequence[Any], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["meter"].choices = [("", "—"), *choices]  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            field.widget.attrs["aria-label"] = field.label or name.title()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("role") and not cleaned.get("meter"):
            raise ValidationError({"meter": "Choose the meter."})
        return cleaned

    def spec(self, sources: dict[int, Source]) -> Spec | None:
        """The member, None for a row without a meaning."""
        told = self.cleaned_data
        if not told.get("role"):
            return None
        source, _, field = told["meter"].partition(":")
        return Spec(
            source=sources[int(source)],
            field=field,
            role=told["role"],
            polarity=told["polarity"],
            pf_convention=told["pf_convention"],
            accuracy_percent=told["accuracy_percent"],
            since=_stamp(told["since"]),
            until=_stamp(told["until"]),
        )


MemberRows: type[BaseFormSet[MemberForm]] = formset_factory(
    MemberForm, extra=BLANK_ROWS, max_num=MOST_ROWS, validate_max=True
)


def rows_for(house: House, meter_set: MeterSet | None, data: Any = None) -> BaseFormSet[MemberForm]:
    """The rows of a set as it is, and one for each meter of the house that is not in it."""
    choices, meters = _choices(house, meter_set)
    options: dict[str, Any] = {"prefix": "members", "form_kwargs": {"choices": choices}}
    if data is not None:
        # Without initial values: a row that says what is known would count as unchanged, and be left out.
        return MemberRows(data, **options)
    members = list(meter_set.members.select_related("source")) if meter_set else []
    known = {member.source_id for member in members}
    initial = [_row(member) for member in members]
    initial += [
        {"meter": f"{source.pk}:", "role": "" if meter_set else guess(f"{source.name} {source.label}")}
        for source in meters
        if source.pk not in known
    ]
    return MemberRows(initial=initial, **options)


def specs_of(rows: Iterable[MemberForm], house: House) -> list[Spec]:
    """The members that the rows name."""
    sources = {source.pk: source for source in Source.objects.filter(house=house)}
    found = [row.spec(sources) for row in rows]
    return [spec for spec in found if spec is not None]


def guess(name: str) -> str:
    """What a meter of this name most likely measures, empty where that is not clear. People decide."""
    words = name.casefold()
    clues = {
        "solar": ("solar", "pv", "inverter", "roof", "photovolt"),
        "utility": ("utility", "grid", "mains supply", "connection", "pcc"),
        "load": ("load", "consumption", "facility", "building", "main panel"),
        "battery": ("battery", "storage"),
    }
    found = [role for role, known in clues.items() if any(clue in words for clue in known)]
    return found[0] if len(found) == 1 else ""


def _choices(house: House, meter_set: MeterSet | None) -> tuple[list[Any], list[Source]]:
    """Meters and fields of devices, grouped; what the set itself works out is none of them."""
    derived = set(meter_set.derived_meters.values_list("pk", flat=True)) if meter_set else set()
    meters = [
        source
        for source in Source.objects.filter(house=house, namespace=Namespace.METER)
        if source.pk not in derived
    ]
    fields = Series.objects.filter(
        source__house=house,
        source__namespace=Namespace.DEVICE,
        unit__in=FACTORS,
        kind__in=[Kind.GAUGE, Kind.INTERVAL, Kind.COUNTER],
    ).select_related("source")
    of_devices = [(f"{one.source_id}:{one.field}", f"{one.source.name}.{one.field}") for one in fields]
    groups: list[Any] = [("Meters", [(f"{one.pk}:", str(one)) for one in meters])] if meters else []
    return [*groups, *([("Fields of devices", of_devices)] if of_devices else [])], meters


def _row(member: SetMember) -> dict[str, Any]:
    return {
        "meter": f"{member.source_id}:{member.field}",
        "role": member.role,
        "polarity": member.polarity,
        "pf_convention": member.pf_convention,
        "accuracy_percent": member.accuracy_percent,
        "since": _moment(member.since),
        "until": _moment(member.until),
    }


def _moment(stamp: int | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp / 1000, UTC)


def _stamp(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds(moment)
