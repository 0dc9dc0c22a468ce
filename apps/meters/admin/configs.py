"""The mirror of loggers' configuration files, with what changed, and secrets masked."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts.models import User
from apps.houses.scoped_admin import ReadOnlyAdmin, VisibleFilter, leave_dialog, preformatted
from apps.meters import configs
from apps.meters.models import ConfigVersion

OFFERED, FETCHED = "offered", "fetched"


@admin.register(ConfigVersion)
class ConfigVersionAdmin(ReadOnlyAdmin):
    """Versions of files, newest first."""

    list_display = [
        "name",
        "logger",
        "house",
        "first_at",
        "last_at",
        "file_time",
        "size_shown",
        "offer_state",
    ]
    list_filter = [("logger__house", VisibleFilter), ("logger", VisibleFilter), "name"]
    list_select_related = ["logger__house"]
    search_fields = ["name", "md5", "logger__serial", "logger__label"]
    ordering = ["-last_at"]
    fields = [
        ("name", "logger"),
        ("first_at", "last_at"),
        ("file_time", "md5"),
        "offer_state",
        ("offered_at", "offered_by"),
        "fetched_at",
        "difference",
        "text",
    ]
    readonly_fields = ["offer_state", "difference", "text"]
    actions_detail = ["offer", "withdraw"]
    when_empty = "Loggers send their configuration files when they call, and again when they change."

    class Media:
        css = {"all": ["css/meters.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConfigVersion]:
        """Lists have no use for what is encrypted."""
        return cast("QuerySet[ConfigVersion]", super().get_queryset(request)).defer("content")

    @display(description="House", ordering="logger__house__name")
    def house(self, version: ConfigVersion) -> str:
        return str(version.logger.house)

    @display(description="Size", ordering="size")
    def size_shown(self, version: ConfigVersion) -> str:
        return filesizeformat(version.size)

    @display(description="Offer", label={OFFERED: "info", FETCHED: "success"})
    def offer_state(self, version: ConfigVersion) -> str | None:
        if version.offered_at is None:
            return None
        return FETCHED if version.fetched_at else OFFERED

    @display(description="What changed")
    def difference(self, version: ConfigVersion) -> str | None:
        earlier = configs.before(version)
        if earlier is None:
            return None
        return preformatted(configs.difference(earlier, version), "config")

    @display(description="The file")
    def text(self, version: ConfigVersion) -> str:
        return preformatted(configs.text(version), "config")

    def has_offer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change what a logger is set to."""
        self._known(request, obj)
        return request.user.has_perm("meters.change_configversion")

    def hidden_actions(self, request: HttpRequest, obj: ConfigVersion) -> set[str]:
        return {"offer" if obj.offered_at else "withdraw"}

    @action(
        description="Offer to the logger",
        icon="publish",
        permissions=["offer"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Offer this version to the logger",
            "description": "When it next calls, and if it allows remote configuration, the logger replaces"
            " its own file by this one, network settings and passwords included. Look at what differs first.",
            "form_submit_text": "Offer",
        },
    )
    def offer(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        version: ConfigVersion = self.existing(request, object_id)
        configs.offer(version=version, now=timezone.now(), by=cast(User, request.user))
        self.log_change(request, version, "Offered to the logger.")
        messages.success(request, f"{version.logger} may fetch it when it next calls.")
        return leave_dialog(request, _page(version))

    @action(
        description="Withdraw the offer",
        icon="undo",
        permissions=["offer"],
        dialog={
            "title": "Withdraw the offer",
            "description": "The logger keeps what it has. What it has fetched already it has.",
            "form_submit_text": "Withdraw",
        },
    )
    def withdraw(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        version: ConfigVersion = self.existing(request, object_id)
        configs.withdraw(version=version)
        self.log_change(request, version, "Offer withdrawn.")
        messages.success(request, "It is offered no longer.")
        return leave_dialog(request, _page(version))


def _page(version: ConfigVersion) -> str:
    return reverse("admin:meters_configversion_change", args=[version.pk])
