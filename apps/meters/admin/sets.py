"""Meter sets: what the meters of a house measure, declared on one page, with what follows on the next."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Prefetch, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts.models import User
from apps.houses.models import House
from apps.houses.scoped_admin import ScopedHistoryAdmin, VisibleFilter, leave_dialog
from apps.meters.models import DerivedMeter, Meter, MeterSet
from apps.meters.sets import panes
from apps.meters.sets.forms import SettingsForm, rows_for, specs_of
from apps.meters.sets.mutations import Consequences, Spec, consequences, declare_set, retire_set
from apps.readings.times import milliseconds

CONFIRMED = "_confirmed"


@admin.register(MeterSet)
class MeterSetAdmin(ScopedHistoryAdmin):
    """Meter sets. One page asks all; the next tells what saving it does, and saves it."""

    list_display = ["house", "topology", "derived_meter", "members_count", "version"]
    list_display_links = ["house"]
    list_filter = [("house", VisibleFilter), "topology"]
    list_select_related = ["house"]
    search_fields = ["house__name", "house__label"]
    ordering = ["house__name"]
    when_empty = (
        "A meter set says which meters of a house measure its solar power, its load and the utility."
        " What has no meter is worked out."
    )
    actions_detail = ["retire"]

    class Media:
        css = {"all": ["css/devices.css", "css/sets.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = cast("QuerySet[MeterSet]", super().get_queryset(request))
        current = DerivedMeter.objects.filter(retired_at=None).select_related("meter__source")
        return found.annotate(member_count=Count("members")).prefetch_related(
            Prefetch("derived_meters", current, to_attr="current")
        )

    @display(description="Derived meter")
    def derived_meter(self, meter_set: Any) -> Meter | None:
        return meter_set.current[0].meter if meter_set.current else None

    @display(description="Rules", ordering="member_count")
    def members_count(self, meter_set: Any) -> int:
        return int(meter_set.member_count)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what was worked out stays a meter of the house: see `retire`

    def has_retire_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may declare a set may forget it."""
        self._known(request, obj)
        return request.user.has_perm("meters.change_meterset")

    # ---- One page for what is new and what is there

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        by = cast(User, request.user)
        if "house" not in request.GET:
            return self._choose(request, House.objects.visible_to(by).filter(meter_set=None))
        wanted = request.GET["house"]
        house = get_object_or_404(House.objects.visible_to(by), pk=wanted if wanted.isdecimal() else 0)
        existing = MeterSet.objects.filter(house=house).first()
        if existing is not None:
            return HttpResponseRedirect(_page(existing))
        return self._declare(request, house, None)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        meter_set: MeterSet = self.existing(request, object_id)
        if not self.has_view_permission(request, meter_set):
            raise PermissionDenied
        return self._declare(request, meter_set.house, meter_set)

    def _choose(self, request: HttpRequest, houses: QuerySet[House]) -> HttpResponse:
        found = houses.annotate(meters=Count("sources__meter")).order_by("-meters", "name")
        context = {**self._frame(request, "Add a meter set"), "houses": found[:200]}
        return TemplateResponse(request, "admin/meters/meterset/choose.html", context)

    def _declare(self, request: HttpRequest, house: House, meter_set: MeterSet | None) -> HttpResponse:
        """The form; as a POST what it would do, and once that was seen, that."""
        with timezone.override(house.time_zone):
            data = request.POST if request.method == "POST" else None
            if data is not None and not self.has_change_permission(request, meter_set):
                raise PermissionDenied
            form = SettingsForm(data, instance=MeterSet.objects.filter(house=house).first())
            rows = rows_for(house, meter_set, data)
            told = self._told(house, form, rows) if data is not None else None
            if told is None:
                return self._form(request, house, meter_set, form, rows).render()
            specs = specs_of(rows, house)
            if CONFIRMED in request.POST:
                return self._save(request, house, meter_set, form, specs)
            return self._ask(request, house, meter_set, told).render()

    def _told(self, house: House, form: SettingsForm, rows: Any) -> Consequences | None:
        """What saving does; None where something is wrong, which the form then says."""
        if not all([form.is_valid(), rows.is_valid()]):
            return None
        try:
            return consequences(house=house, members=specs_of(rows, house), **form.settings())
        except ValidationError as error:
            form.add_error(None, error.messages)
            return None

    def _form(
        self, request: HttpRequest, house: House, meter_set: MeterSet | None, form: SettingsForm, rows: Any
    ) -> TemplateResponse:
        title = f"Meters of {house}"
        context = {
            **self._frame(request, title),
            "house": house,
            "original": meter_set,
            "form": form,
            "rows": rows,
            "may_change": self.has_change_permission(request, meter_set),
            "state": panes.state_of(meter_set, milliseconds(timezone.now())) if meter_set else None,
            "actions": self.get_actions_detail(request, meter_set.pk) if meter_set else [],
            "object_id": meter_set.pk if meter_set else None,
        }
        return TemplateResponse(request, "admin/meters/meterset/declare.html", context)

    def _ask(
        self, request: HttpRequest, house: House, meter_set: MeterSet | None, told: Consequences
    ) -> TemplateResponse:
        context = {
            **self._frame(request, f"Meters of {house}: what follows"),
            "house": house,
            "told": told,
            "fields": [one for one in request.POST.items() if one[0] != "csrfmiddlewaretoken"],
            "back": _page(meter_set) if meter_set else f"{reverse(_ADD)}?house={house.pk}",
        }
        return TemplateResponse(request, "admin/meters/meterset/consequences.html", context)

    def _save(
        self,
        request: HttpRequest,
        house: House,
        before: MeterSet | None,
        form: SettingsForm,
        specs: list[Spec],
    ) -> HttpResponse:
        by = cast(User, request.user)
        saved = declare_set(house=house, members=specs, by=by, now=timezone.now(), **form.settings())
        if before is None:
            self.log_addition(request, saved, "Declared.")
        else:
            self.log_change(request, saved, f"Declared again: version {saved.version}.")
        messages.success(request, f"{saved.derived} follows from the meters of {house}.")
        return HttpResponseRedirect(_page(saved))

    def _frame(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "media": self.media,
        }

    @action(
        description="Forget this set",
        icon="link_off",
        permissions=["retire"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Forget this set",
            "description": "Nothing is worked out any more. The derived meter stays, disabled, with what it"
            " has, and items that read it go on showing that.",
            "form_submit_text": "Forget",
        },
    )
    def retire(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        meter_set: MeterSet = self.existing(request, object_id)
        self.log_deletions(request, [meter_set])
        retire_set(meter_set=meter_set, by=cast(User, request.user), now=timezone.now())
        messages.success(request, f"The set of {meter_set.house} is forgotten.")
        return leave_dialog(request, reverse("admin:meters_meterset_changelist"))


_ADD = "admin:meters_meterset_add"


def _page(meter_set: MeterSet) -> str:
    return reverse("admin:meters_meterset_change", args=[meter_set.pk])
