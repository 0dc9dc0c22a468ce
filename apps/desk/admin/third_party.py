"""The admin pages that libraries bring, in the look of the others and without what nobody needs."""

from __future__ import annotations

from typing import Any, cast

from axes.helpers import get_cool_off
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group
from django.db.models import Count, Model, Q, QuerySet
from django.forms import Form, ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django_celery_beat.admin import PeriodicTaskAdmin, TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from knox.models import AuthToken
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.accounts import lockout, mutations
from apps.accounts.models import User
from apps.houses.confirmation import asks_first
from apps.houses.scoped_admin import leave_dialog

LOCKED = "locked out"

# Roles take the place of groups; schedules are intervals and crontabs.
UNNEEDED: list[type[Model]] = [Group, AccessFailureLog, ClockedSchedule, SolarSchedule]


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The registered tasks, in Unfold's look."""


# Label and help of each field of a scheduled task, in our words.
WORDS = {
    "name": ("Name", "What it does, in a few words."),
    "regtask": ("Choose a task", "What is chosen here takes the place of the task below."),
    "task": ("Task", ""),
    "enabled": ("Enabled", "Switched off, it stays here and does not run."),
    "description": ("Description", "For who comes after you."),
    "interval": ("Every", "An interval, or else a crontab; one of the two."),
    "crontab": ("At", "A crontab, for set times of the day, week or month."),
    "args": ("Arguments", "A JSON list, such as [7]."),
    "kwargs": ("Named arguments", 'A JSON object, such as {"days": 7}.'),
}


class ScheduledTaskAdmin(PeriodicTaskAdmin, ModelAdmin):
    """What beat runs when."""

    when_empty = "Tasks that run by themselves stand here; Wattdesk brings its own."

    fieldsets = (
        (None, {"fields": ("name", "regtask", "task", "enabled", "description")}),
        ("Schedule", {"fields": ("interval", "crontab", "crontab_translation", "last_run_at")}),
        ("Arguments", {"fields": ("args", "kwargs")}),
    )
    list_display = ("name", "when", "enabled", "last_run")
    list_filter = ["enabled"]
    date_hierarchy = None
    actions = ["enable_tasks", "disable_tasks", "run_tasks"]

    @display(description="When")
    def when(self, task: PeriodicTask) -> str:
        return str(task.crontab.human_readable if task.crontab else task.scheduler)

    @display(description="Last run", ordering="last_run_at", empty_value="never")
    def last_run(self, task: PeriodicTask) -> str | None:
        return date_format(task.last_run_at, "DATETIME_FORMAT") if task.last_run_at else None

    @admin.action(description="Enable", permissions=["change"])
    @asks_first(
        one="1 task will run by itself again.",
        many="{count} tasks will run by themselves again.",
        submit="Enable",
        of=lambda tasks: tasks.filter(enabled=False),
        nothing="All of these are enabled.",
    )
    def enable_tasks(self, request: HttpRequest, tasks: QuerySet[PeriodicTask]) -> None:
        self._note(request, tasks, "Enabled.")
        super().enable_tasks(request, tasks)

    @admin.action(description="Disable", permissions=["change"])
    @asks_first(
        one="1 task will no longer run by itself, until somebody enables it.",
        many="{count} tasks will no longer run by themselves, until somebody enables them.",
        submit="Disable",
        of=lambda tasks: tasks.filter(enabled=True),
        nothing="All of these are disabled.",
    )
    def disable_tasks(self, request: HttpRequest, tasks: QuerySet[PeriodicTask]) -> None:
        self._note(request, tasks, "Disabled.")
        super().disable_tasks(request, tasks)

    @admin.action(description="Run now", permissions=["change"])
    @asks_first(
        one="1 task will be run once, now, beside its schedule.",
        many="{count} tasks will be run once, now, beside their schedules.",
        submit="Run now",
    )
    def run_tasks(self, request: HttpRequest, tasks: QuerySet[PeriodicTask]) -> None:
        self._note(request, tasks, "Run by hand.")
        super().run_tasks(request, tasks)

    def _note(self, request: HttpRequest, tasks: QuerySet[PeriodicTask], what: str) -> None:
        for task in tasks:
            self.log_change(request, task, what)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> type[ModelForm[Any]]:
        form = super().get_form(request, obj, **kwargs)
        if "regtask" in form.base_fields:  # not for those who only look
            fields = form.base_fields
            fields["regtask"].widget, fields["task"].widget = TaskSelect(), UnfoldAdminTextInputWidget()
            for name, (title, help_text) in WORDS.items():
                fields[name].label, fields[name].help_text = title, help_text
            for name in ("description", "args", "kwargs"):
                fields[name].widget = UnfoldAdminTextareaWidget(attrs={"rows": 2})
        return cast("type[ModelForm[Any]]", form)


class LookAdmin(ModelAdmin):
    """A library's records, to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ExpiryFilter(admin.SimpleListFilter):
    """Tokens that work, and those whose time is over."""

    title = "state"
    parameter_name = "works"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Works"), ("no", "Expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuthToken]) -> QuerySet[AuthToken] | None:
        expired = Q(expiry__lte=timezone.now())
        return {"yes": queryset.exclude(expired), "no": queryset.filter(expired)}.get(self.value() or "")


class TokenAdmin(ModelAdmin):
    """People's API tokens, which they make themselves; here they are only revoked."""

    when_empty = "People make tokens for their programs on their own page; here they are only revoked."
    list_display = ["beginning", "user", "program", "created", "expiry"]
    list_filter = [ExpiryFilter]
    list_select_related = ["user", "label"]
    search_fields = ["token_key", "user__email", "label__name"]
    fields = readonly_fields = ["beginning", "user", "program", "created", "expiry"]

    @display(description="Program", ordering="label__name")
    def program(self, token: AuthToken) -> str | None:
        return token.label.name if hasattr(token, "label") else None

    @display(description="Begins with")
    def beginning(self, token: AuthToken) -> str:
        return f"{token.token_key[:8]}…"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: AuthToken) -> None:
        mutations.revoke_token(token=obj, by=cast(User, request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AuthToken]) -> None:
        for token in queryset.select_related("user"):
            self.delete_model(request, token)


class LockedFilter(admin.SimpleListFilter):
    """Those who cannot try again yet, and those who can."""

    title = "state"
    parameter_name = "locked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Locked out"), ("no", "May try again")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AccessAttempt]
    ) -> QuerySet[AccessAttempt] | None:
        locked = Q(
            failures_since_start__gte=settings.AXES_FAILURE_LIMIT,
            attempt_time__gt=timezone.now() - get_cool_off(),
        )
        return {"yes": queryset.filter(locked), "no": queryset.exclude(locked)}.get(self.value() or "")


class FailureAdmin(LookAdmin):
    """Wrong passwords, and who is locked out because of them."""

    when_empty = "Wrong passwords are counted here; five lock an e-mail out for a quarter of an hour."
    list_display = ["attempt_time", "who", "ip_address", "failures", "state"]
    list_display_links = ["attempt_time", "who"]
    list_filter = [LockedFilter]
    search_fields = ["username", "ip_address"]
    fields = readonly_fields = ["who", "ip_address", "user_agent", "attempt_time", "failures", "state"]
    actions_detail = ["unlock"]

    @display(description="E-mail tried", ordering="username")
    def who(self, attempt: AccessAttempt) -> str:
        return attempt.username or "none"

    @display(description="Wrong passwords", ordering="failures_since_start")
    def failures(self, attempt: AccessAttempt) -> int:
        return int(attempt.failures_since_start)

    @display(description="State", label={LOCKED: "danger"})
    def state(self, attempt: AccessAttempt) -> str:
        until = lockout.lasts_until(attempt.failures_since_start, attempt.attempt_time)
        return LOCKED if until and until > timezone.now() else "may try again"

    def has_unlock_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who looks after people."""
        return request.user.has_perm("accounts.change_user")

    @action(
        description="Let them try again",
        icon="lock_open",
        permissions=["unlock"],
        dialog={
            "title": "Let them try again",
            "description": "The wrong passwords of this e-mail from this address are forgotten: it can be"
            " tried again at once.",
            "form_submit_text": "Let them try",
        },
    )
    def unlock(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        attempt = get_object_or_404(AccessAttempt, pk=object_id)
        lockout.unlock(username=attempt.username, address=attempt.ip_address)
        self.log_change(request, attempt, "Let them try again.")
        messages.success(request, f"{attempt.username} can be tried again from {attempt.ip_address}.")
        return leave_dialog(request, reverse("admin:axes_accessattempt_changelist"))


class LogInAdmin(LookAdmin):
    """Who logged in when, and from where."""

    when_empty = "Who logs in stands here, with when and from where."
    list_display = ["attempt_time", "username", "ip_address", "user_agent", "logout_time"]
    list_filter = ["attempt_time"]
    search_fields = ["username", "ip_address", "user_agent"]
    fields = readonly_fields = ["username", "ip_address", "user_agent", "attempt_time", "logout_time"]


class TaskInline(TabularInline):
    """The tasks that run at these times."""

    model = PeriodicTask
    verbose_name_plural = "scheduled tasks"
    fields = readonly_fields = ("name", "task", "enabled")
    can_delete = False
    show_change_link = True
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TimesAdmin(ModelAdmin):
    """When scheduled tasks run."""

    when_empty = "Scheduled tasks choose among these."
    inlines = [TaskInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return cast("QuerySet[Any]", super().get_queryset(request).annotate(users=Count("periodictask")))

    @display(description="Times")
    def times(self, one: Any) -> str:
        return str(one)

    @display(description="Scheduled tasks", ordering="users")
    def tasks(self, one: Any) -> int:
        return int(one.users)


class IntervalAdmin(TimesAdmin):
    """Every so often."""

    list_display = ["times", "tasks"]


class CrontabAdmin(TimesAdmin):
    """At set times."""

    list_display = ["times", "words", "tasks"]
    fields = ("human_readable", "minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone")
    readonly_fields = ("human_readable",)

    @display(description="In words")
    def words(self, one: CrontabSchedule) -> str:
        return str(one.human_readable)


OWN: dict[type[Model], type[admin.ModelAdmin[Any]]] = {
    PeriodicTask: ScheduledTaskAdmin,
    AuthToken: TokenAdmin,
    AccessAttempt: FailureAdmin,
    AccessLog: LogInAdmin,
    CrontabSchedule: CrontabAdmin,
    IntervalSchedule: IntervalAdmin,
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
