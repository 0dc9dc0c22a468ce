"""Forms of the admin pages of houses and people."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.http import HttpRequest
from django.utils.formats import date_format
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from apps.accounts.models import User
from apps.accounts.roles import MEANINGS, Role
from apps.houses.confirmation import TypedNameForm
from apps.houses.models import EdgeCredential, House
from apps.houses.names import zone_names


class HouseForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """A house; zones are chosen from those there are."""

    class Meta:
        model = House
        fields = ["name", "label", "description", "time_zone", "latitude", "longitude"]
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}
        help_texts = {
            "name": "Short and unique, such as mill-4, for commands and files. It cannot be changed later.",
            "description": "For the people who look at it: shown on its page.",
            "time_zone": "Its days and hours follow it.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "time_zone" in self.fields:  # not for those who only look
            self.fields["time_zone"].widget = self._zone_widget()

    def _zone_widget(self) -> forms.Widget:
        """Zones to search in. In a form nobody has filled in, the browser chooses its own."""
        untouched = self.instance.pk is None and not self.is_bound
        attrs = {"data-choose-own-zone": ""} if untouched else {}
        choices = _zones(self.instance.time_zone)
        return cast(forms.Widget, UnfoldAdminSelect2Widget(attrs=attrs, choices=choices))


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """A person; each role is offered with what it is for."""

    class Meta:
        model = User
        fields = ["email", "name", "role"]
        help_texts = {"email": "They log in with it, and mails go there.", "name": "As pages greet them."}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "role" in self.fields:  # not on one's own page
            choices = [(role.value, f"{role.label}: {MEANINGS[role]}") for role in Role]
            self.fields["role"] = forms.ChoiceField(choices=choices, widget=UnfoldAdminRadioSelectWidget())


class HouseNameForm(TypedNameForm):
    """Asks for the name of the house that is to be deleted."""

    def expected(self) -> str:
        """The name to type."""
        return House.objects.values_list("name", flat=True).get(pk=self.object_id)


class RevokeForm(BaseDialogForm):
    """Which of a house's working credentials to revoke; `?credential=` chooses beforehand."""

    credential = forms.ModelChoiceField(
        queryset=EdgeCredential.objects.none(), widget=UnfoldAdminSelectWidget, empty_label=None
    )

    def __init__(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **options: Any
    ) -> None:
        super().__init__(request, object_id, *args, **options)
        field = self.fields["credential"]
        field.queryset = EdgeCredential.objects.filter(house_id=cast(str, object_id), revoked_at=None)
        field.label_from_instance = _hint_and_age
        field.initial = request.GET.get("credential")


def _zones(current: str) -> list[tuple[str, str]]:
    """The zones to choose from: places, UTC, and what is set already."""
    names = {name for name in zone_names() if "/" in name and not name.startswith("Etc/")}
    return [(name, name) for name in sorted(names | {"UTC", current})]


def _hint_and_age(credential: EdgeCredential) -> str:
    return f"{credential.hint}…, created {date_format(credential.created_at, 'DATETIME_FORMAT')}"
