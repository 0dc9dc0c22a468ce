"""The form of an analytics item."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.accounts.models import User
from apps.analytics import mutations
from apps.analytics.editor import normal
from apps.analytics.formula import MAX_LENGTH
from apps.analytics.models import AnalyticsItem
from apps.houses.confirmation import TypedNameForm
from apps.houses.models import House

ONLY_WHEN_NEW = ("house", "name")
GIVEN = ("label", "description", "formula", "quantity", "unit", "role")


class ItemForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """An item. `user`, set by the page, limits the houses to choose from; the mutations save it."""

    user: User

    formula = forms.CharField(
        max_length=MAX_LENGTH,
        strip=False,  # columns count from the first character
        widget=UnfoldAdminTextareaWidget,
        help_text="Such as pos(egauge.A.Solar). Names come up while you type; Ctrl+Space shows them all.",
    )

    class Meta:
        model = AnalyticsItem
        fields = [*ONLY_WHEN_NEW, *GIVEN]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["description"].widget.attrs["rows"] = 2
        self.fields["formula"].widget.attrs |= {
            "rows": 3,
            "spellcheck": "false",
            "autocapitalize": "off",
            "autocomplete": "off",
            "data-formula": "",
            "data-check": reverse("admin:analytics_analyticsitem_check"),
            "data-names": reverse("admin:analytics_analyticsitem_names"),
            "data-preview-url": reverse("admin:analytics_analyticsitem_preview"),
            "data-item": self.instance.pk or "",
            "data-house": self.instance.house_id or "",
            "data-name": self.instance.name,
        }
        if self.instance.pk is None:
            cast(Any, self.fields["house"]).queryset = House.objects.visible_to(self.user)

    def clean_formula(self) -> str:
        """As it was typed."""
        return normal(self.cleaned_data["formula"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            self._validate(cleaned)
        return cleaned

    def perform(self) -> AnalyticsItem:
        """Create or change the item. Raises ValidationError."""
        given = {
            name: self.cleaned_data[name] for name in self._meta.fields or () if name in self.cleaned_data
        }
        if self.instance.pk is None:
            return mutations.create_item(**given, by=self.user)
        return mutations.edit_item(item=self.instance, **given, by=self.user)

    def draft(self) -> AnalyticsItem:
        """The item as it would be saved, from the fields as given."""
        fields = {
            field.attname: getattr(self.instance, field.attname)
            for field in AnalyticsItem._meta.concrete_fields
        }
        draft = AnalyticsItem(**fields)
        draft._state.adding = self.instance._state.adding
        for name, value in self.cleaned_data.items():
            setattr(draft, name, value)
        return draft

    def _validate(self, cleaned: dict[str, Any]) -> None:
        self.cleaned_data = cleaned
        try:
            mutations.validate(item=self.draft())
        except ValidationError as error:
            self.add_error(None, error)

    def _post_clean(self) -> None:
        """The instance is the mutation's to fill."""


class ItemNameForm(TypedNameForm):
    """Asks for the name of the item that is to be deleted."""

    def expected(self) -> str:
        """The name to type."""
        return AnalyticsItem.objects.values_list("name", flat=True).get(pk=self.object_id)
