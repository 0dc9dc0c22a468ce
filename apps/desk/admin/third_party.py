"""The admin pages that libraries bring, in the look of the others and without what nobody needs."""

from __future__ import annotations

from typing import Any, cast

from axes.models import AccessFailureLog
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django_celery_beat.admin import PeriodicTaskAdmin, TaskSelectWidget
from django_celery_beat.models import ClockedSchedule, PeriodicTask, SolarSchedule
from knox.models import AuthToken
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

# Roles take the place of groups; schedules are intervals and crontabs.
UNNEEDED: list[type[Model]] = [Group, AccessFailureLog, ClockedSchedule, SolarSchedule]


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The registered tasks, in Unfold's look."""


class ScheduledTaskAdmin(PeriodicTaskAdmin, ModelAdmin):
    """What beat runs when."""

    fieldsets = (
        (None, {"fields": ("name", "regtask", "task", "enabled", "description")}),
        ("Schedule", {"fields": ("interval", "crontab", "crontab_translation", "last_run_at")}),
        ("Arguments", {"fields": ("args", "kwargs")}),
    )
    list_display = ("name", "enabled", "scheduler", "last_run_at")
    list_filter = ["enabled"]
    date_hierarchy = None

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> type[ModelForm[Any]]:
        form = super().get_form(request, obj, **kwargs)
        if "regtask" in form.base_fields:  # not for those who only look
            fields = form.base_fields
            fields["regtask"].widget, fields["task"].widget = TaskSelect(), UnfoldAdminTextInputWidget()
            fields["regtask"].label, fields["task"].label = "Choose a task", "Task"
            fields["regtask"].help_text = "What is chosen here takes the place of the task below."
            for name in ("description", "args", "kwargs"):
                fields[name].widget = UnfoldAdminTextareaWidget(attrs={"rows": 2})
        return cast("type[ModelForm[Any]]", form)


class TokenAdmin(ModelAdmin):
    """People's API tokens, which they make themselves; here they are only revoked."""

    when_empty = "People make tokens for their programs, see the API; here they are only revoked."
    list_display = ["beginning", "user", "created", "expiry"]
    list_select_related = ["user"]
    search_fields = ["token_key", "user__email"]
    fields = readonly_fields = ["beginning", "user", "created", "expiry"]

    @display(description="Begins with")
    def beginning(self, token: AuthToken) -> str:
        return f"{token.token_key[:8]}…"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


OWN: dict[type[Model], type[admin.ModelAdmin[Any]]] = {
    PeriodicTask: ScheduledTaskAdmin,
    AuthToken: TokenAdmin,
}


def restyle(site: AdminSite) -> None:
    """Give every page registered so far Unfold's look; to be called once all apps have registered theirs."""
    for model in UNNEEDED:
        if site.is_registered(model):
            site.unregister(model)
    for model, page in list(site._registry.items()):
        if not isinstance(page, ModelAdmin):
            site.unregister(model)
            site.register(model, OWN.get(model) or _styled(type(page)))


def _styled(page: type[Any]) -> type[Any]:
    inlines = [_styled_inline(inline) for inline in page.inlines]
    return type(page.__name__, (page, ModelAdmin), {"__module__": page.__module__, "inlines": inlines})


def _styled_inline(inline: type[Any]) -> type[Any]:
    base = StackedInline if issubclass(inline, admin.StackedInline) else TabularInline
    return type(inline.__name__, (inline, base), {"__module__": inline.__module__})
