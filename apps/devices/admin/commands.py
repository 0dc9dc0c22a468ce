"""Commands to devices in the admin: what was told, by whom, and what became of it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.devices import models
from apps.devices.commands import cancel_command, in_words
from apps.devices.models import Command, CommandState
from apps.houses.scoped_admin import ReadOnlyAdmin, VisibleFilter, leave_dialog

COLOURS = {
    CommandState.VERIFIED.label: "success",
    CommandState.FAILED.label: "danger",
    CommandState.WAITING.label: "info",
    models.FETCHED: "info",
    models.EXPIRED: "warning",
}


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    """Commands, newest first. They are sent from the page of a device."""

    list_display = ["created_at", "device", "house", "what", "standing", "message", "created_by"]
    list_filter = [("house", VisibleFilter), "state"]
    list_select_related = ["device__source__house", "house", "created_by"]
    search_fields = [
        "device__source__name",
        "device__source__label",
        "house__name",
        "house__label",
        "message",
    ]
    fields = [
        "house",
        "device",
        "what",
        "standing",
        "message",
        "created_at",
        "created_by",
        "expires_at",
        "fetched_at",
        "finished_at",
    ]
    readonly_fields = ["what", "standing"]
    when_empty = "A device that takes commands, such as a battery, is told what to do from its page."
    actions_detail = ["cancel"]

    @display(description="Command")
    def what(self, command: Command) -> str:
        return in_words(command)

    @display(description="State", ordering="state", label=COLOURS)
    def standing(self, command: Command) -> str:
        return command.standing(timezone.now())

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may send commands may withdraw them."""
        return self._known(request, obj) is not None and request.user.has_perm("devices.add_command")

    def hidden_actions(self, request: HttpRequest, obj: Command) -> set[str]:
        is_open = obj.state == CommandState.WAITING and obj.expires_at > timezone.now()
        return set() if is_open else {"cancel"}

    @action(
        description="Cancel",
        icon="cancel",
        permissions=["cancel"],
        dialog={
            "title": "Cancel this command",
            "description": "An agent that has not fetched it never will. One that has may be at it already:"
            " then the command ends as the agent tells.",
            "form_submit_text": "Cancel the command",
        },
    )
    def cancel(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        command = self.existing(request, object_id)
        if cancel_command(command=command, now=timezone.now(), by=cast(User, request.user)):
            messages.success(request, "The command is cancelled.")
        else:
            messages.warning(request, "It was too late: the command is over.")
        return leave_dialog(request, reverse("admin:devices_command_change", args=[command.pk]))
