"""Analytics items in the admin: their list, their editor, and what saving them brings about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts.models import User
from apps.analytics import editor, mutations, panes, required
from apps.analytics.forms import ItemForm, ItemNameForm
from apps.analytics.models import AnalyticsItem
from apps.houses.models import House
from apps.houses.scoped_admin import DetailedAdmin, ScopedHistoryAdmin, VisibleFilter, leave_dialog
from apps.jobs.models import Job


@admin.register(AnalyticsItem)
class AnalyticsItemAdmin(DetailedAdmin, ScopedHistoryAdmin):
    """Items. The editor asks `editor` for what it shows while one types."""

    form = ItemForm
    list_display = ["title", "house", "name", "shown_formula", "unit", "kept", "newest_value"]
    list_display_links = ["title"]
    list_filter = [("house", VisibleFilter), "aggregated", "role"]
    list_select_related = ["house", "source"]
    search_fields = ["name", "label", "description", "formula", "house__name", "house__label"]
    ordering = ["house__name", "name"]
    show_full_result_count = False
    readonly_fields: ClassVar[list[str]] = ["house", "name"]
    list_before_template = "admin/analytics/item/lacking.html"
    change_form_outer_before_template = "admin/analytics/item/state.html"
    change_form_after_template = "admin/analytics/item/preview.html"
    actions_detail = ["aggregate", "resume", "stop_aggregating", "erase"]
    when_empty = (
        "An item is a formula with a name: what devices measure, added up, turned or averaged."
        " Dashboards and reports read sixteen of them, which can be made from what a house's devices declare."
    )

    class Media:
        css = {"all": ["css/devices.css", "css/formula.css"]}
        js = ["js/devices.js", "js/formula.js"]

    @display(description="Item", ordering="name")
    def title(self, item: AnalyticsItem) -> str:
        return str(item)

    @display(description="Formula")
    def shown_formula(self, item: AnalyticsItem) -> str:
        return format_html('<code class="formula-cell" title="{0}">{0}</code>', item.formula)

    @display(description="Aggregated", ordering="aggregated", label=panes.COLOURS)
    def kept(self, item: AnalyticsItem) -> str:
        return panes.kept(item, cast(Any, item).job).word

    @display(description="Newest value")
    def newest_value(self, item: AnalyticsItem) -> str:
        newest = cast(Any, item).newest
        return format_html('<span title="{}">{}</span>', newest.age, newest.value)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AnalyticsItem]:
        return cast("QuerySet[AnalyticsItem]", cast(Any, super().get_queryset(request)).with_days())

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The rows with their newest values, fetched together."""
        changes = super().get_changelist_instance(request)
        changes.result_list = panes.with_newest(changes.result_list, timezone.now())
        return changes

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), **panes.lacking(cast(User, request.user), request.GET)}
        return cast(HttpResponse, super().changelist_view(request, context))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # years of results may hang on it, and other formulas: see `erase`

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may delete an item with its results."""
        self._known(request, obj)
        return request.user.has_perm("analytics.delete_analyticsitem")

    # ---- Addresses of its own

    def get_urls(self) -> list[URLPattern]:
        own = [
            ("check/", self.check_view, "check"),
            ("names/", self.names_view, "names"),
            ("preview/", self.preview_view, "preview"),
            ("required/<int:house_id>/", self.required_view, "required"),
            ("<path:object_id>/state/", self.state_view, "state"),
        ]
        named = [
            path(route, self.admin_site.admin_view(view), name=f"analytics_analyticsitem_{name}")
            for route, view, name in own
        ]
        return [*named, *super().get_urls()]

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """What the editor says of a formula as it is being typed."""
        return editor.check(request, self._may_edit(request))

    def names_view(self, request: HttpRequest) -> HttpResponse:
        """The names that formulas of a house can use."""
        return editor.names(request, self._may_edit(request))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What a formula would have given lately, as a chart."""
        return editor.show(request, self._may_edit(request), timezone.now())

    def state_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """How the results of an item are kept, as the part of a page."""
        item = self.existing(request, object_id)
        return render(
            request,
            "admin/analytics/item/kept.html",
            panes.state_context(item, cast(User, request.user), timezone.now()),
        )

    def required_view(self, request: HttpRequest, house_id: int) -> HttpResponse:
        """What creating the required items would make; as a POST, that."""
        by = cast(User, request.user)
        house = get_object_or_404(House.objects.visible_to(by), pk=house_id)
        if not self.has_add_permission(request):
            raise PermissionDenied
        back = f"{reverse('admin:analytics_analyticsitem_changelist')}?house__id__exact={house.pk}"
        if request.method == "POST":
            made = mutations.create_required(house=house, by=by)
            for item in made:
                self.log_addition(request, item, "Created with the required items.")
            messages.success(request, f"Created: {', '.join(item.name for item in made) or 'nothing'}.")
            return HttpResponseRedirect(back)
        planned = required.plan(house)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Required items of {house}",
            "opts": self.opts,
            "media": self.media,
            "house": house,
            "planned": planned,
            "count": sum(one.is_made for one in planned),
            "back": back,
        }
        return TemplateResponse(request, "admin/analytics/item/required.html", context)

    def _may_edit(self, request: HttpRequest) -> User:
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        return cast(User, request.user)

    # ---- The form

    def get_fieldsets(self, request: HttpRequest, obj: AnalyticsItem | None = None) -> list[Any]:
        return [
            (None, {"fields": ["house", "name", "label", "description"]}),
            (None, {"fields": ["formula"]}),
            (None, {"fields": ["quantity", "unit", "role"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: AnalyticsItem | None = None) -> list[str]:
        return self.readonly_fields if obj else []

    def get_form(
        self, request: HttpRequest, obj: AnalyticsItem | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.user = request.user
        return form

    def save_model(self, request: HttpRequest, obj: AnalyticsItem, form: Any, change: bool) -> None:
        item = form.perform()
        obj.pk, obj.name, obj.label, obj._state.adding = item.pk, item.name, item.label, False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A formula whose results are kept is saved once its consequences were seen."""
        if request.method == "POST" and object_id and "_confirmed" not in request.POST:
            asked = self._ask(request, self.existing(request, object_id))
            if asked is not None:
                return asked
        return cast(HttpResponse, super().changeform_view(request, object_id, form_url, extra_context))

    def _ask(self, request: HttpRequest, item: AnalyticsItem) -> HttpResponse | None:
        """The page that shows what saving brings about, unless that is nothing or the form has faults."""
        if not self.has_change_permission(request, item):
            return None
        form = self.get_form(request, item, change=True)(request.POST, instance=item)
        if not form.is_valid() or form.cleaned_data["formula"] == item.formula:
            return None
        consequences = panes.consequences(item)
        if not consequences:
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"Change the formula of {item}",
            "opts": self.opts,
            "media": self.media,
            "consequences": consequences,
            "fields": [
                (name, value) for name, value in request.POST.items() if name != "csrfmiddlewaretoken"
            ],
            "back": _page(item),
        }
        return TemplateResponse(request, "admin/analytics/item/consequences.html", context)

    def page_context(self, request: HttpRequest, obj: AnalyticsItem) -> Mapping[str, Any]:
        return {
            **panes.state_context(obj, cast(User, request.user), timezone.now()),
            **panes.connections(obj),
        }

    # ---- What can be done with it

    def hidden_actions(self, request: HttpRequest, obj: AnalyticsItem) -> set[str]:
        return panes.hidden_actions(obj)

    @action(
        description="Switch aggregation on",
        icon="database",
        permissions=["change"],
        dialog={
            "title": "Continuous aggregation",
            "description": "The item's results become a series of their own: computed as readings arrive, and"
            " quick to read over years. First a job computes the days that there are readings of, the newest"
            " first; it can be stopped, and gone on with from here.",
            "form_submit_text": "Switch on",
        },
    )
    def aggregate(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        item = self.existing(request, object_id)
        return self._do(request, item, mutations.aggregate_on, "Continuous aggregation is on.")

    @action(
        description="Go on computing",
        icon="play_arrow",
        permissions=["change"],
        dialog={
            "title": "Go on computing",
            "description": "A job computes the days that are left, the newest first.",
            "form_submit_text": "Go on",
        },
    )
    def resume(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        item = self.existing(request, object_id)
        return self._do(request, item, mutations.aggregate_on, "The days that are left are being computed.")

    @action(
        description="Switch aggregation off",
        icon="database_off",
        permissions=["change"],
        dialog={
            "title": "Switch continuous aggregation off",
            "description": "A job removes the kept results, of all days. Formulas that use the item go on as"
            " before. Results of days whose readings are gone by now cannot be computed again.",
            "form_submit_text": "Switch off and remove",
        },
    )
    def stop_aggregating(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        item = self.existing(request, object_id)
        return self._do(request, item, mutations.aggregate_off, "Continuous aggregation is off.")

    @action(
        description="Delete",
        icon="delete",
        permissions=["erase"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Delete this item",
            "description": "Its kept results go with it. Items whose formulas use it must be changed first.",
            "form_class": ItemNameForm,
            "form_submit_text": "Delete for good",
        },
    )
    def erase(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        item: AnalyticsItem = self.existing(request, object_id)
        deleted = AnalyticsItem(pk=item.pk, name=item.name, label=item.label)
        try:
            job = mutations.delete_item(item=item, by=cast(User, request.user))
        except ValidationError as error:
            messages.error(request, error.messages[0])
            return leave_dialog(request, _page(item))
        self.log_deletions(request, [deleted])
        if job is not None:
            return leave_dialog(request, _job(job))
        messages.success(request, f"{deleted} is deleted.")
        return leave_dialog(request, reverse("admin:analytics_analyticsitem_changelist"))

    def _do(self, request: HttpRequest, item: AnalyticsItem, change: Any, done: str) -> HttpResponse:
        try:
            change(item=item, by=cast(User, request.user))
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            self.log_change(request, item, done)
            messages.success(request, done)
        return leave_dialog(request, _page(item))


def _page(item: AnalyticsItem) -> str:
    return reverse("admin:analytics_analyticsitem_change", args=[item.pk])


def _job(job: Job) -> str:
    return reverse("admin:jobs_job_change", args=[job.pk])
