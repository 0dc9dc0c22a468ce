"""What arrived, what became of it, and parsing it again."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.houses.confirmation import asks_first
from apps.houses.scoped_admin import ReadOnlyAdmin, VisibleFilter, leave_dialog, preformatted
from apps.inbox import bodies, replaying
from apps.inbox.forms import ReplayForm
from apps.inbox.models import Receipt, State
from apps.jobs.models import Job

LABELS = {
    State.RECEIVED.label: "info",
    State.PARSED.label: "success",
    State.NEEDS_MAPPING.label: "warning",
    State.FAILED.label: "danger",
}


class KindFilter(admin.AllValuesFieldListFilter):
    """The kinds that the person asking sees any receipts of."""

    def __init__(self, field: Any, request: HttpRequest, params: Any, *args: Any, **options: Any) -> None:
        super().__init__(field, request, params, *args, **options)
        seen = Receipt.objects.visible_to(cast(User, request.user))
        self.lookup_choices = seen.order_by("kind").values_list("kind", flat=True).distinct()


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    """Receipts of one's houses; those of no house are an administrator's."""

    list_display = ["received_at", "kind", "origin", "house", "condition", "error", "size", "attempts"]
    list_display_links = ["received_at", "kind"]
    list_filter = ["state", ("kind", KindFilter), ("house", VisibleFilter)]
    list_select_related = ["house", "body"]
    search_fields = ["kind", "origin", "error", "house__name", "house__label", "body__sha256"]
    date_hierarchy = "received_at"
    show_facets = admin.ShowFacets.ALWAYS
    fields = [
        ("kind", "origin"),
        ("house", "received_at"),
        ("condition", "error"),
        ("attempts", "parser_version", "parsed_at"),
        "raw",
        "sha256",
        "details",
    ]
    readonly_fields = ["condition", "raw", "sha256", "details"]
    actions = ["replay_selected"]
    actions_list = ["replay_all"]
    actions_detail = ["replay"]
    when_empty = "What loggers send and what is fetched from elsewhere shows here as it came."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receipt]:
        """Pages show how large bodies are, not bodies."""
        return cast("QuerySet[Receipt]", super().get_queryset(request)).defer("body__payload")

    @display(description="State", ordering="state", label=LABELS)
    def condition(self, receipt: Receipt) -> str:
        return State(receipt.state).label

    @display(description="Size", ordering="body__size")
    def size(self, receipt: Receipt) -> str | None:
        return filesizeformat(receipt.body.size) if receipt.body else None

    @display(description="SHA-256")
    def sha256(self, receipt: Receipt) -> str | None:
        return receipt.body_id

    @display(description="As it came")
    def raw(self, receipt: Receipt) -> str | None:
        if receipt.body is None:
            return None
        url = reverse("admin:inbox_receipt_body", args=[receipt.pk])
        name, size = receipt.filename(), filesizeformat(receipt.body.size)
        return format_html('<a class="dialog-link" href="{}">{}</a> ({})', url, name, size)

    @display(description="What came with it")
    def details(self, receipt: Receipt) -> str:
        return preformatted(json.dumps(receipt.metadata, indent=2, ensure_ascii=False))

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("inbox.replay_receipt") and self.has_view_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.body_view)
        own = path("<path:object_id>/body/", view, name="inbox_receipt_body")
        return [own, *super().get_urls()]

    def body_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The bytes as they came, to save and never to show: a stranger wrote them."""
        receipt: Receipt = self.existing(request, object_id)
        try:
            body = bodies.body_of(receipt)
        except (bodies.BodyMissing, bodies.BodyDamaged) as error:
            raise Http404 from error
        disposition = content_disposition_header(True, receipt.filename())
        headers = {"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"}
        return HttpResponse(body, content_type="application/octet-stream", headers=headers)

    def hidden_actions(self, request: HttpRequest, obj: Receipt) -> set[str]:
        return {"replay"} if obj.body_id is None else set()

    @action(
        description="Replay",
        icon="replay",
        permissions=["replay"],
        dialog={
            "title": "Replay this receipt",
            "description": "It is parsed again with today's parser and mapping.",
            "form_submit_text": "Replay",
        },
    )
    def replay(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        receipt: Receipt = self.existing(request, object_id)
        try:
            replaying.replay(receipt=receipt, by=cast(User, request.user))
        except replaying.BodyExpired as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "It is parsed again within a minute.")
        return leave_dialog(request, reverse("admin:inbox_receipt_change", args=[receipt.pk]))

    @action(
        description="Replay all",
        icon="replay",
        permissions=["replay"],
        dialog={
            "title": "Replay all",
            "description": "Parses again, as a job, all that failed or lacked a mapping.",
            "form_class": ReplayForm,
            "form_submit_text": "Replay",
        },
    )
    def replay_all(self, request: HttpRequest, form: Form) -> HttpResponse:
        kind, state = form.cleaned_data["which"]
        job = replaying.replay_all(kind=kind, state=state, by=cast(User, request.user))
        return leave_dialog(request, _page(job))

    @admin.action(description="Replay", permissions=["replay"])
    @asks_first(
        one="1 receipt will be parsed again with today's parser and mapping, as a job.",
        many="{count} receipts will be parsed again with today's parser and mapping, as a job.",
        submit="Replay",
        of=lambda receipts: receipts.filter(body__isnull=False),
        nothing="Of none of these is the body still kept.",
    )
    def replay_selected(self, request: HttpRequest, receipts: QuerySet[Receipt]) -> HttpResponse:
        ids = list(receipts.order_by("pk").values_list("pk", flat=True))
        job = replaying.replay_selected(receipts=ids, by=cast(User, request.user))
        return HttpResponseRedirect(_page(job))


def _page(job: Job) -> str:
    return reverse("admin:jobs_job_change", args=[job.pk])
