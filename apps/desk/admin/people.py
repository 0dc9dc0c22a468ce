"""People in the admin."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display

from apps.accounts import links, mutations
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.desk.admin.memberships import HouseOfPersonInline, MembershipsAdmin
from apps.houses.scoped_admin import leave_dialog


@admin.register(User)
class UserAdmin(MembershipsAdmin):
    """People: added here, they set their password by a mailed link."""

    list_display = ["email", "name", "role_label", "is_active", "last_login"]
    list_filter = ["role", "is_active"]
    search_fields = ["email", "name"]
    ordering = ["email"]
    fieldsets = [(None, {"fields": ["email", "name", "role", "is_active", ("last_login", "date_joined")]})]
    add_fieldsets = [
        (
            None,
            {
                "fields": ["email", "name", "role"],
                "description": "Saving mails a link to set the password; it works once, for three days.",
            },
        )
    ]
    readonly_fields = ["last_login", "date_joined"]
    inlines = [HouseOfPersonInline]
    actions_detail = ["send_link"]

    @display(
        description="Role",
        ordering="role",
        label={Role.ADMINISTRATOR.label: "info", Role.OPERATOR.label: "success"},
    )
    def role_label(self, user: User) -> str:
        return Role(user.role).label

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the record of who did what would go too; inactive people cannot log in

    def save_model(self, request: HttpRequest, obj: User, form: Form, change: bool) -> None:
        by = cast(User, request.user)
        if change:
            edited = {name: form.cleaned_data[name] for name in form.changed_data}
            mutations.update_user(user=obj, by=by, **edited)
            return
        user = mutations.create_user(by=by, **form.cleaned_data)
        obj.pk, obj._state.adding = user.pk, False
        # Only once the person is really saved, and with a mail server that is down telling the administrator.
        transaction.on_commit(lambda: _invite(request, user))

    @action(
        description="Send a link to set the password",
        icon="mail",
        permissions=["change"],
        dialog={
            "title": "Send a link to set the password",
            "description": "It goes to the person's e-mail and works once, for three days.",
            "form_submit_text": "Send",
        },
    )
    def send_link(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        user: User = self.existing(request, object_id)
        _invite(request, user)
        return leave_dialog(request, reverse("admin:accounts_user_change", args=[user.pk]))


def _invite(request: HttpRequest, user: User) -> None:
    try:
        links.send_invitation(user=user)
    except OSError as error:
        messages.error(
            request, f"The mail to {user.email} could not be sent: {error}. Send the link again later."
        )
    else:
        messages.success(request, f"{user.email} is mailed a link to set the password.")
