"""The dialog that asks for a name before something is deleted for good."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget


class TypedNameForm(BaseDialogForm):
    """Asks for the name of what is to be deleted; subclasses find it."""

    name = forms.CharField(label="Name", widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}))

    def __init__(
        self, request: HttpRequest, object_id: str | None = None, *args: object, **options: object
    ) -> None:
        super().__init__(request, object_id, *args, **options)
        self.fields["name"].help_text = f"Type {self.expected()} to delete it."

    def expected(self) -> str:
        """The name to type, of the object `object_id`."""
        raise NotImplementedError

    def clean_name(self) -> str:
        """Refuse any other name."""
        name: str = self.cleaned_data["name"]
        if name != self.expected():
            raise ValidationError("This is not its name.", code="invalid")
        return name
