"""Forms of the inbox's admin pages."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.db.models import Count
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from apps.accounts.models import User
from apps.inbox.models import Receipt, State

REPLAYABLE = [State.FAILED, State.NEEDS_MAPPING]


class ReplayForm(BaseDialogForm):
    """Which receipts to replay: all that failed or need mapping, of one kind; `which` is “state kind”."""

    which = forms.ChoiceField(label="Receipts", widget=UnfoldAdminSelectWidget)

    def __init__(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **options: Any
    ) -> None:
        super().__init__(request, object_id, *args, **options)
        field = cast(forms.ChoiceField, self.fields["which"])
        field.choices = _groups(cast(User, request.user))

    def clean_which(self) -> tuple[str, str]:
        """(kind, state)."""
        state, _, kind = self.cleaned_data["which"].partition(" ")
        return kind, state


def _groups(user: User) -> list[tuple[str, str]]:
    """What there is to replay, and how often."""
    found = Receipt.objects.visible_to(user).filter(state__in=REPLAYABLE)
    groups = found.order_by("kind", "state").values_list("kind", "state").annotate(Count("pk"))
    return [(f"{state} {kind}", f"{kind}: {State(state).label.lower()} ({n})") for kind, state, n in groups]
