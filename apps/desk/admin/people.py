"""People in the admin."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Value
from django.db.models.functions import Coalesce, NullIf
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts import links, mutations
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.desk.admin.forms import PersonForm
from apps.desk.admin.memberships import HouseOfPersonInline, MembershipsAdmin
from apps.houses.models import House, Membership
from apps.houses.scoped_admin import VisibleFilter, leave_dialog

NAMED = 3  # houses in a row of the list
INVITED = Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)
ACTIVE, WAITING, INACTIVE = "active", "invited", "inactive"


class StateFilter(admin.SimpleListFilter):
    """Who can log in, who has yet to set a password, and who was deactivated."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(ACTIVE, "Active"), (WAITING, "Invited"), (INACTIVE, "Inactive")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User] | None:
        match self.value():
            case "active":
                return queryset.filter(~INVITED, is_active=True)
            case "invited":
                return queryset.filter(INVITED, is_active=True)
            case "inactive":
                return queryset.filter(is_active=False)
        return None


@admin.register(User)
class UserAdmin(MembershipsAdmin):
    """People: added here, they set their password by a mailed link."""

    form = PersonForm
    list_display = ["email", "name", "role_label", "belongs_to", "state", "last_login"]
    list_filter = ["role", StateFilter, ("memberships__house", VisibleFilter)]
    search_fields = ["email", "name", "memberships__house__name", "memberships__house__label"]
    ordering = ["email"]
    fieldsets = [
        (None, {"fields": ["email", "name"]}),
        ("Access", {"fields": ["role", "state", ("last_login", "date_joined")]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "fields": ["email", "name", "role"],
                "description": "Saving mails a link to set the password; it works once, for three days.",
            },
        )
    ]
    readonly_fields = ["state", "last_login", "date_joined"]
    inlines = [HouseOfPersonInline]
    when_empty = "People are added here and invited by mail."
    actions_detail = ["send_link", "deactivate", "reactivate"]

    @display(
        description="Role",
        ordering="role",
        label={Role.ADMINISTRATOR.label: "info", Role.OPERATOR.label: "success"},
    )
    def role_label(self, user: User) -> str:
        return Role(user.role).label

    @display(description="State", label={ACTIVE: "success", WAITING: "warning", INACTIVE: "danger"})
    def state(self, user: User) -> str:
        return _state(user)

    @display(description="Houses")
    def belongs_to(self, user: Any) -> str:
        if user.role == Role.ADMINISTRATOR:
            return "all"
        named, count = ", ".join(user.house_names), user.house_count
        return f"{named} and {count - NAMED} more" if count > NAMED else named or "none yet"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """People with the names of some of their houses and how many there are, in one query."""
        houses = House.objects.filter(memberships__user=OuterRef("pk"))
        shown = houses.annotate(shown=Coalesce(NullIf("label", Value("")), "name")).order_by("name")
        belonging = Membership.objects.filter(user=OuterRef("pk")).values("user")
        found = cast("QuerySet[User]", super().get_queryset(request))
        return found.annotate(
            house_names=ArraySubquery(shown.values("shown")[:NAMED]),
            house_count=Coalesce(Subquery(belonging.annotate(count=Count("pk")).values("count")), 0),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """One's own role is not one's own to change."""
        own = obj is not None and obj.pk == request.user.pk
        return [*self.readonly_fields, "role"] if own else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the record of who did what would go too; inactive people cannot log in

    def hidden_actions(self, request: HttpRequest, obj: User) -> set[str]:
        """Nobody deactivates themselves, and a link lets nobody in who is inactive."""
        hidden = {"reactivate"} if obj.is_active else {"deactivate", "send_link"}
        return hidden | ({"deactivate"} if obj.pk == request.user.pk else set())

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
            "description": "It goes to the person's e-mail and works once, for three days. Links sent before"
            " work until one is used.",
            "form_submit_text": "Send",
        },
    )
    def send_link(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        user: User = self.existing(request, object_id)
        if user.is_active:
            _invite(request, user)
        return leave_dialog(request, _page(user))

    @action(
        description="Deactivate",
        icon="person_off",
        permissions=["change"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Deactivate this person",
            "description": "They are logged out everywhere, and their API tokens are revoked. Their houses"
            " and the record of what they did stay. You can let them in again.",
            "form_submit_text": "Deactivate",
        },
    )
    def deactivate(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, is_active=False)

    @action(
        description="Reactivate",
        icon="person",
        permissions=["change"],
        dialog={
            "title": "Let this person in again",
            "description": "They log in with the password they had and see the houses they belong to."
            " Their API tokens stay revoked.",
            "form_submit_text": "Reactivate",
        },
    )
    def reactivate(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, is_active=True)

    def _switch(self, request: HttpRequest, object_id: str, *, is_active: bool) -> HttpResponse:
        user: User = self.existing(request, object_id)
        try:
            mutations.update_user(user=user, by=cast(User, request.user), is_active=is_active)
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            self.log_change(request, user, "Reactivated." if is_active else "Deactivated.")
            messages.success(request, f"{user} is {'active again' if is_active else 'deactivated'}.")
        return leave_dialog(request, _page(user))


def _state(user: User) -> str:
    if not user.is_active:
        return INACTIVE
    return ACTIVE if user.has_usable_password() else WAITING


def _page(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def _invite(request: HttpRequest, user: User) -> None:
    send = links.send_reset if user.has_usable_password() else links.send_invitation
    try:
        send(user=user)
    except OSError as error:
        messages.error(
            request, f"The mail to {user.email} could not be sent: {error}. Send the link again later."
        )
    else:
        messages.success(request, f"{user.email} is mailed a link to set the password.")
