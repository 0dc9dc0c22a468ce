"""Memberships in the admin: on the page of the house and on the page of the person."""

from __future__ import annotations

from typing import Any, cast

from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest
from unfold.admin import TabularInline

from apps.accounts.models import User
from apps.houses import mutations
from apps.houses.models import Membership
from apps.houses.scoped_admin import ScopedHistoryAdmin


class MembershipInline(TabularInline):
    """Who belongs to a house, or which houses a person belongs to. Administrators edit, operators look."""

    model = Membership
    extra = 0
    hide_title = True

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # a membership is there or not; there is nothing in it to change


class MemberInline(MembershipInline):
    """Who belongs to a house."""

    verbose_name = "member"
    autocomplete_fields = ["user"]


class HouseOfPersonInline(MembershipInline):
    """Which houses a person belongs to."""

    verbose_name = "house"
    autocomplete_fields = ["house"]


class MembershipsAdmin(ScopedHistoryAdmin):
    """An admin page that edits memberships inline."""

    def save_formset(
        self, request: HttpRequest, form: ModelForm[Any], formset: BaseModelFormSet[Any, Any], change: bool
    ) -> None:
        by = cast(User, request.user)
        for membership in formset.save(commit=False):
            mutations.add_member(house=membership.house, user=membership.user, by=by)
        for membership in formset.deleted_objects:
            mutations.remove_member(house=membership.house, user=membership.user, by=by)
