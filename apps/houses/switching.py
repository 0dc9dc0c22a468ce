"""The two actions that enable and disable what an admin page shows, whatever it is."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action

from apps.houses.scoped_admin import ScopedAdmin, leave_dialog


def switch(name: str, *, icon: str, title: str, consequence: str) -> Any:
    """The action “enable” or “disable” of a SwitchAdmin, which asks before it acts."""

    def perform(admin: SwitchAdmin, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return admin.switch(request, object_id, enabled=name == "enable")

    perform.__name__ = name
    words = name.capitalize()
    dialog = {"title": title, "description": consequence, "form_submit_text": words}
    return action(description=words, icon=icon, permissions=["change"], dialog=dialog)(perform)


class SwitchAdmin(ScopedAdmin):
    """An admin whose objects are enabled or disabled; of the two actions the one that applies is offered.

    Name "enable" and "disable" in `actions_detail`, and make both with `switch`.
    """

    def is_enabled(self, obj: Any) -> bool:
        """Whether it is enabled now."""
        raise NotImplementedError

    def set_enabled(self, request: HttpRequest, obj: Any, enabled: bool) -> None:
        """Change it, by whoever asks. Raises ValidationError with a sentence where it cannot be."""
        raise NotImplementedError

    def hidden_actions(self, request: HttpRequest, obj: Any) -> set[str]:
        return {"enable" if self.is_enabled(obj) else "disable"}

    def switch(self, request: HttpRequest, object_id: str, *, enabled: bool) -> HttpResponse:
        """Do it, note it, say it, and go back to the page."""
        obj, done = self.existing(request, object_id), "enabled" if enabled else "disabled"
        try:
            self.set_enabled(request, obj, enabled)
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            self.log_change(request, obj, f"{done.capitalize()}.")
            messages.success(request, f"{obj} is {done}.")
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return leave_dialog(request, reverse(page, args=[obj.pk]))
