"""Steps of counters that wait for a decision, and what was decided."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.houses.scoped_admin import ReadOnlyAdmin, VisibleFilter, leave_dialog, preformatted
from apps.readings.counters import Decision
from apps.readings.decisions import context, decide, revoke
from apps.readings.forms import ReadingForm, shown
from apps.readings.models import CounterDecision, QuarantinedStep, QuarantinedStepQuerySet, RegisterStep
from apps.readings.times import moment

DAYS_FOLLOW = "The days this changes are worked out again within minutes. It can be revoked."
ACCEPT = {
    "title": "Accept this reading",
    "description": "The register is right. A rise counts in full; a fall as a wrap where the series has a"
    f" modulus, else as a new beginning at zero, so that what it shows counts. {DAYS_FOLLOW}",
    "form_class": ReadingForm,
    "form_submit_text": "Accept",
}
REJECT = {
    "title": "Reject this reading",
    "description": "The reading is wrong and left out, and if it does not fit what came before, so are those"
    f" that go on from it. {DAYS_FOLLOW}",
    "form_class": ReadingForm,
    "form_submit_text": "Reject",
}
SWAP = {
    "title": "Mark as swap",
    "description": "Another meter begins with this reading. The step counts nothing, and the time between"
    f" the two readings stays without a number. {DAYS_FOLLOW}",
    "form_class": ReadingForm,
    "form_submit_text": "Mark as swap",
}
MEANINGS = {
    "lower": "The register fell and has grown on from there. If the meter was changed, mark it as swap; if it"
    " began again at zero, accept it; if these readings are wrong, reject them.",
    "impossible": "The register grew by more than its rating allows. Accept it if that is what was used, or"
    " set a larger rating on the page of the series; reject it if the reading is wrong.",
    "outside": "The register is beyond its modulus. Correct the modulus on the page of the series, or reject"
    " the reading.",
    "returned": "The register is back where it was before it fell. Reject the fall, which is another step of"
    " this list, or mark this one as swap if the meter was changed back.",
}
LABELS = {"Accepted": "success", "Rejected": "danger", "Marked as swap": "info"}


class StepAdmin(ReadOnlyAdmin):
    """What both lists show of a step."""

    list_select_related = ["series__source__house"]
    search_fields = [
        "series__field",
        "series__source__name",
        "series__source__label",
        "series__source__house__name",
    ]
    show_full_result_count = False

    @display(description="House", ordering="series__source__house__name")
    def house(self, step: RegisterStep) -> str:
        return str(step.series.source.house)

    @display(description="Source", ordering="series__source__name")
    def source(self, step: RegisterStep) -> str:
        return str(step.series.source)

    @display(description="Field", ordering="series__field")
    def field(self, step: RegisterStep) -> str:
        return step.series.field

    @display(description="When", ordering="stamp")
    def when(self, step: RegisterStep) -> str:
        return moment(step.stamp)

    @display(description="From", ordering="before_value")
    def came_from(self, step: RegisterStep) -> str:
        return shown(step.before_value)

    @display(description="To", ordering="value")
    def went_to(self, step: RegisterStep) -> str:
        return f"{shown(step.value)} {step.series.unit}"

    @display(description="Readings around it")
    def around(self, step: RegisterStep) -> SafeString | str:
        near = context(step.series, step.stamp)
        if not near:
            return "They are gone: the day was sealed, or they were withdrawn."
        rows = ((moment(stamp), shown(value), " ←" * (stamp == step.stamp)) for stamp, value in near)
        return preformatted("\n".join("  ".join(row[:2]) + row[2] for row in rows))

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may say what a step is, and take that back."""
        allowed = request.user.has_perm("readings.decide_quarantinedstep")
        return allowed and self.has_view_permission(request, obj)


@admin.register(QuarantinedStep)
class QuarantineAdmin(StepAdmin):
    """Steps that count nothing until somebody decides."""

    list_display = ["when", "field", "source", "house", "came_from", "went_to", "why"]
    list_filter = ["why", ("series__source__house", VisibleFilter), ("series__source", VisibleFilter)]
    fields = ["house", "source", "field", "when", "came_from", "went_to", "why", "meaning", "around"]
    readonly_fields = ["house", "source", "field", "when", "came_from", "went_to", "meaning", "around"]
    actions_detail = ["accept", "reject", "swap"]
    when_empty = (
        "Nothing waits. Where a counter falls, or grows by more than it can, the step comes here and counts"
        " nothing until you say what it is."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[QuarantinedStep]:
        """What is decided has left the list, though its day may still have to be worked out."""
        return cast("QuarantinedStepQuerySet", super().get_queryset(request)).waiting()

    @display(description="What it may be")
    def meaning(self, step: QuarantinedStep) -> str:
        return MEANINGS.get(step.why, "")

    @action(description="Accept", icon="check", permissions=["decide"], dialog=ACCEPT)
    def accept(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._decide(request, form, object_id, Decision.ACCEPT)

    @action(description="Reject", icon="block", permissions=["decide"], dialog=REJECT)
    def reject(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._decide(request, form, object_id, Decision.REJECT)

    @action(description="Mark as swap", icon="swap_horiz", permissions=["decide"], dialog=SWAP)
    def swap(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        return self._decide(request, form, object_id, Decision.SWAP)

    def _decide(self, request: HttpRequest, form: Form, object_id: str, kind: Decision) -> HttpResponse:
        step: QuarantinedStep = self.existing(request, object_id)
        stamp: int = form.cleaned_data["reading"]
        by = cast(User, request.user)
        try:
            decision = decide(series=step.series, stamp=stamp, kind=kind, by=by, at=timezone.now())
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            self.log_change(request, step, f"{decision.get_kind_display()}: {moment(stamp)}.")
            messages.success(request, f"{decision.get_kind_display()}. The day is worked out again.")
        return leave_dialog(request, reverse("admin:readings_quarantinedstep_changelist"))


@admin.register(CounterDecision)
class DecisionAdmin(StepAdmin):
    """What was said of readings, by whom, and what of it was taken back."""

    list_display = [
        "when",
        "field",
        "source",
        "house",
        "decided",
        "came_from",
        "went_to",
        "by",
        "at",
        "state",
    ]
    list_filter = [
        "kind",
        ("revoked_at", admin.EmptyFieldListFilter),
        ("series__source__house", VisibleFilter),
    ]
    list_select_related = [*StepAdmin.list_select_related, "by", "revoked_by"]
    fields = [
        ("house", "source", "field"),
        ("when", "came_from", "went_to"),
        "why",
        ("decided", "by", "at"),
        ("revoked_by", "revoked_at"),
        "around",
    ]
    readonly_fields = ["house", "source", "field", "when", "came_from", "went_to", "decided", "around"]
    actions_detail = ["revoke"]
    when_empty = "What operators decide on steps in quarantine is kept here, and can be revoked."

    @display(description="Decision", ordering="kind", label=LABELS)
    def decided(self, decision: CounterDecision) -> str:
        return decision.get_kind_display()

    @display(description="State", label={"in force": "success", "revoked": "warning"})
    def state(self, decision: CounterDecision) -> str:
        return "in force" if decision.revoked_at is None else "revoked"

    def hidden_actions(self, request: HttpRequest, obj: CounterDecision) -> set[str]:
        """A decision is revoked once."""
        return set() if obj.revoked_at is None else {"revoke"}

    @action(
        description="Revoke",
        icon="undo",
        permissions=["decide"],
        dialog={
            "title": "Revoke this decision",
            "description": "The reading is judged as if nobody had said anything. A step that must be decided"
            " on is back in quarantine within minutes, and counts nothing.",
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        decision: CounterDecision = self.existing(request, object_id)
        try:
            revoke(decision=decision, by=cast(User, request.user), at=timezone.now())
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            self.log_change(request, decision, "Revoked.")
            messages.success(request, "The decision is revoked. The day is worked out again.")
        return leave_dialog(request, reverse("admin:readings_counterdecision_change", args=[decision.pk]))
