"""Houses in the admin, with their credentials and members."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts.models import User
from apps.analytics.models import AnalyticsItem
from apps.analytics.panes import lacks
from apps.desk.admin import once
from apps.desk.admin.forms import HouseForm, HouseNameForm, RevokeForm
from apps.desk.admin.memberships import MemberInline, MembershipsAdmin
from apps.devices.admin.agents import SYNCHRONIZE_DIALOG
from apps.devices.models import Device
from apps.devices.mutations import synchronize
from apps.devices.panes import agent_context
from apps.houses import credentials, deletion, mutations, transfer
from apps.houses.csv_admin import CsvAdmin
from apps.houses.models import EdgeCredential, House, Membership
from apps.houses.scoped_admin import DetailedAdmin, leave_dialog
from apps.houses.switching import SwitchAdmin, switch
from apps.readings.admin import sealing


class CredentialInline(TabularInline):
    """The keys of a house's agents, to look at and to revoke."""

    model = EdgeCredential
    extra = 0
    can_delete = False
    hide_title = True
    verbose_name_plural = "credentials"
    fields = readonly_fields = ["key", "created_at", "created_by", "last_used", "state"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[EdgeCredential]:
        found: models.QuerySet[EdgeCredential] = super().get_queryset(request)
        return found.select_related("created_by", "revoked_by")

    def has_add_permission(self, request: HttpRequest, obj: House | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: House | None = None) -> bool:
        return False

    @display(description="Key")
    def key(self, credential: EdgeCredential) -> str:
        return f"{credential.hint}…"

    @display(description="Last used")
    def last_used(self, credential: EdgeCredential) -> str:
        return date_format(credential.last_used_at, "DATETIME_FORMAT") if credential.last_used_at else "never"

    @display(description="Works")
    def state(self, credential: EdgeCredential) -> str:
        if credential.revoked_at:
            by = f" by {credential.revoked_by}" if credential.revoked_by else ""
            return f"Revoked {date_format(credential.revoked_at, 'DATETIME_FORMAT')}{by}"
        url = reverse("admin:houses_house_revoke_credential", args=[credential.house_id])
        return format_html(
            '<span class="works">Yes</span> <a class="dialog-link" href="#" hx-get="{}?credential={}" '
            'hx-target="#modal-content" hx-select="#dialog" x-on:htmx:after-on-load="openModal = true">'
            "Revoke</a>",
            url,
            credential.pk,
        )


@admin.register(House)
class HouseAdmin(DetailedAdmin, SwitchAdmin, CsvAdmin, MembershipsAdmin):
    """Houses, their credentials and members."""

    form = HouseForm
    list_display = ["title", "name", "time_zone", "devices", "people", "state", "page"]
    list_display_links = ["title"]
    list_filter = ["enabled"]
    search_fields = ["name", "label"]
    ordering = ["name"]
    fieldsets = [
        (None, {"fields": ["name", "label", "description"]}),
        ("Place", {"fields": ["time_zone", ("latitude", "longitude")]}),
    ]
    inlines = [CredentialInline, MemberInline]
    when_empty = "A house is a home, a building or a plant: one place, with a time zone, devices and people."
    change_form_outer_before_template = "admin/houses/house/next.html"
    change_form_outer_after_template = "admin/houses/house/credential.html"
    actions_detail = [
        "enable",
        "disable",
        {
            "title": "Credentials",
            "items": ["issue_credential", "rotate_credentials", "revoke_credential"],
        },
        "synchronize",
        "drop_readings",
        "erase",
    ]
    reading_actions = CsvAdmin.reading_actions | {"drop_readings"}

    csv_columns = transfer.COLUMNS
    csv_row = transfer.row_of
    csv_save = transfer.save
    csv_help = (
        "The name says which house it is: one that is there is changed, any other added. The agent of a new"
        " house needs a credential: add one on its page."
    )

    class Media:
        css = {"all": ["css/devices.css", "css/formula.css"]}
        js = ["js/credential.js", "js/house.js", "js/devices.js"]

    @display(description="House", ordering="name")
    def title(self, house: House) -> str:
        return str(house)

    @display(description="State", label={"enabled": "success", "disabled": "warning"})
    def state(self, house: House) -> str:
        return "enabled" if house.enabled else "disabled"

    @display(description="Devices", ordering="device_count")
    def devices(self, house: Any) -> str:
        url = reverse("admin:devices_device_changelist")
        link = '<a class="dialog-link" href="{}?source__house__id__exact={}">{}</a>'
        return format_html(link, url, house.pk, house.device_count)

    @display(description="Members", ordering="member_count")
    def people(self, house: Any) -> int:
        return int(house.member_count)

    @display(description="Page")
    def page(self, house: House) -> str:
        return format_html('<a class="dialog-link" href="{}">Open</a>', reverse("house", args=[house.pk]))

    def get_queryset(self, request: HttpRequest) -> QuerySet[House]:
        """Houses with the numbers of their devices and members, in one query."""
        found = cast("QuerySet[House]", super().get_queryset(request))
        devices = Device.objects.filter(source__house=OuterRef("pk")).values("source__house")
        members = Membership.objects.filter(house=OuterRef("pk")).values("house")
        return found.annotate(device_count=_counted(devices), member_count=_counted(members))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # years of readings hang on a house: only a job can delete it, see `erase`

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may delete a house with all its readings: administrators.

        An operator's membership is for looking after a house; its history belongs to all its members.
        """
        self._known(request, obj)
        return request.user.has_perm("houses.delete_house")

    def has_synchronize_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change the devices of a house may have its agent fetch them."""
        self._known(request, obj)
        return request.user.has_perm("devices.change_device")

    def has_seal_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may drop readings of a house for good."""
        self._known(request, obj)
        return request.user.has_perm("readings.seal_source")

    def get_readonly_fields(self, request: HttpRequest, obj: House | None = None) -> list[str]:
        return ["name"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: House | None) -> list[type[TabularInline]]:
        return self.inlines if obj else []

    def is_enabled(self, obj: House) -> bool:
        return obj.enabled

    def set_enabled(self, request: HttpRequest, obj: House, enabled: bool) -> None:
        mutations.set_enabled(house=obj, enabled=enabled, by=cast(User, request.user))

    def hidden_actions(self, request: HttpRequest, obj: House) -> set[str]:
        being_deleted = {"enable", "erase"} if deletion.under_way(obj) else set()
        return super().hidden_actions(request, obj) | being_deleted

    def save_model(self, request: HttpRequest, obj: House, form: Form, change: bool) -> None:
        by = cast(User, request.user)
        if change:
            edited = {name: form.cleaned_data[name] for name in form.changed_data}
            mutations.update_house(house=obj, by=by, **edited)
            return
        house, bundle = mutations.create_house(by=by, **form.cleaned_data)
        obj.pk, obj._state.adding = house.pk, False
        once.keep(request, house, bundle)

    def response_add(
        self, request: HttpRequest, obj: House, post_url_continue: str | None = None
    ) -> HttpResponse:
        """On to the house's page, where the credential is shown."""
        if "_popup" in request.POST:
            return cast(HttpResponse, super().response_add(request, obj, post_url_continue))
        messages.success(request, f"{obj} is added. Give its credential to the agent in the house.")
        return HttpResponseRedirect(_page(obj))

    def page_context(self, request: HttpRequest, obj: House) -> Mapping[str, Any]:
        context = {
            **agent_context(obj, timezone.now()),
            "devices": Device.objects.filter(source__house=obj).count(),
            "items": AnalyticsItem.objects.filter(house=obj).count(),
            "lacking": [lack] if (lack := lacks(obj)) else [],
            "being_deleted": deletion.under_way(obj),
        }
        if request.method == "GET":
            bundle = once.take(request, obj)
            context["bundle"] = bundle and json.dumps(bundle.as_dict(), indent=2)
        return context

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], add: bool = False, **options: Any
    ) -> HttpResponse:
        """Saving a new house always leads to its page: one button says so."""
        context |= {"show_save_and_add_another": False, "show_save_and_continue": not add}
        return cast(HttpResponse, super().render_change_form(request, context, add, **options))

    @action(
        description="Add a credential",
        icon="key",
        permissions=["change"],
        dialog={
            "title": "Add a credential",
            "description": "For one more agent. The others keep working. It is shown once, on the next page.",
            "form_submit_text": "Add",
        },
    )
    def issue_credential(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        house: House = self.existing(request, object_id)
        once.keep(request, house, credentials.issue(house=house, by=cast(User, request.user)))
        return leave_dialog(request, _page(house))

    @action(
        description="Rotate credentials",
        icon="autorenew",
        permissions=["change"],
        dialog={
            "title": "Rotate credentials",
            "description": "Adds a new credential, shown once on the next page, and revokes all others."
            " Within a minute their agents are refused; they keep their readings until they get the new one.",
            "form_submit_text": "Rotate",
        },
    )
    def rotate_credentials(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        house: House = self.existing(request, object_id)
        once.keep(request, house, credentials.rotate(house=house, by=cast(User, request.user)))
        return leave_dialog(request, _page(house))

    @action(
        description="Revoke a credential",
        icon="key_off",
        permissions=["change"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Revoke a credential",
            "description": "Whoever uses it is refused within a minute, for good.",
            "form_class": RevokeForm,
            "form_submit_text": "Revoke",
        },
    )
    def revoke_credential(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        house: House = self.existing(request, object_id)
        credential: EdgeCredential = form.cleaned_data["credential"]
        credentials.revoke(credential=credential, by=cast(User, request.user))
        messages.success(request, f"The credential {credential.hint}… is revoked.")
        return leave_dialog(request, _page(house))

    enable = switch(
        "enable",
        icon="play_arrow",
        title="Enable this house",
        consequence="Its readings are accepted again, within a minute.",
    )
    disable = switch(
        "disable",
        icon="pause",
        title="Disable this house",
        consequence="Nothing new is accepted from it, from within a minute on. What it has stays.",
    )

    @action(
        description="Synchronize configuration",
        icon="sync",
        permissions=["synchronize"],
        dialog=SYNCHRONIZE_DIALOG,
    )
    def synchronize(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        house: House = self.existing(request, object_id)
        synchronize(house=house)
        self.log_change(request, house, "Configuration synchronized.")
        messages.success(request, f"The agent of {house} is asked to fetch its devices again.")
        return leave_dialog(request, _page(house))

    @action(description="Drop readings", icon="auto_delete", permissions=["seal"])
    def drop_readings(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page that shows what would go, and asks for the name."""
        return sealing.page(request, self.existing(request, object_id), self)

    @action(
        description="Delete",
        icon="delete",
        permissions=["erase"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Delete this house",
            "description": "Everything goes with it: devices, all readings and events, credentials and"
            " memberships. Nothing brings them back. To only stop accepting readings, disable it.",
            "form_class": HouseNameForm,
            "form_submit_text": "Delete for good",
        },
    )
    def erase(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        house: House = self.existing(request, object_id)
        try:
            job = mutations.delete_house(house=house, by=cast(User, request.user))
        except ValidationError as error:
            messages.error(request, error.messages[0])
            return leave_dialog(request, _page(house))
        self.log_deletions(request, [house])
        return leave_dialog(request, reverse("admin:jobs_job_change", args=[job.pk]))


def _counted(groups: QuerySet[Any, Any]) -> Coalesce:
    """How many rows there are in the one group that an outer row sees; 0 without one."""
    return Coalesce(Subquery(groups.order_by().annotate(count=Count("*")).values("count")), 0)


def _page(house: House) -> str:
    return reverse("admin:houses_house_change", args=[house.pk])
