"""What asks before it does something: a dialog that wants a name typed, and a page for actions on many."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]
"""An action of a list, on what is chosen in it."""
CONFIRMED = "_confirmed"
NAMED = 10
"""How many of the chosen are named."""


def asks_first(
    *,
    one: str,
    many: str,
    submit: str,
    of: Callable[[QuerySet[Any]], QuerySet[Any]] = lambda chosen: chosen,
    nothing: str = "There is nothing to do for what you chose.",
) -> Callable[[Action], Action]:
    """Let an action of a list show what it will do to how many, and do it once that is confirmed.

    `one` and `many` (with `{count}`) say it. It is about those of the chosen that `of` leaves; where it
    leaves none, the message `nothing` says so. Stands below `@action`.
    """

    def decorator(action: Action) -> Action:
        @wraps(action)
        def asking(page: Any, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
            found = of(chosen)
            count = found.count()
            if not count:
                messages.warning(request, nothing)
                return None
            if CONFIRMED in request.POST:
                return action(page, request, found)
            says = one if count == 1 else many.format(count=f"{count:,}")
            said = {"says": says, "submit": submit, "count": count, "left_out": chosen.count() - count}
            return _question(page, request, found, said)

        asking.asks_first = True  # type: ignore[attr-defined]
        return asking

    return decorator


def _question(page: Any, request: HttpRequest, found: QuerySet[Any], said: dict[str, Any]) -> HttpResponse:
    """The page that asks. Its button sends the same choice again."""
    context = {
        **page.admin_site.each_context(request),
        **said,
        "title": said["submit"],
        "opts": page.opts,
        "media": page.media,
        "named": list(found[:NAMED]),
        "more": max(0, said["count"] - NAMED),
        "again": {
            "action": request.POST["action"],
            "select_across": request.POST.get("select_across", "0"),
            CONFIRMED: "1",
        },
        "checkbox": ACTION_CHECKBOX_NAME,
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
    }
    return TemplateResponse(request, "admin/ask_first.html", context)


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
