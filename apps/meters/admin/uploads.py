"""What loggers did: their sessions, and the files of each with what came of them."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.admin import TabularInline
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.houses.confirmation import asks_first
from apps.houses.scoped_admin import ReadOnlyAdmin, VisibleFilter, leave_dialog, preformatted
from apps.inbox import replaying
from apps.inbox.models import State
from apps.meters.models import UploadFile, UploadSession
from apps.readings.times import moment

REFUSED, KNOWN, LOGGERS = "refused", "known already", "the logger's own"
LABELS = {
    State.PARSED.label: "success",
    State.RECEIVED.label: "info",
    State.NEEDS_MAPPING.label: "warning",
    State.FAILED.label: "danger",
    REFUSED: "danger",
}


def condition(file: UploadFile) -> str:
    """What became of a file, a key of LABELS or without a colour."""
    if file.receipt is not None:
        return State(file.receipt.state).label
    if file.repeat:
        return KNOWN
    return REFUSED if file.reply_status != 200 else LOGGERS


class FileInline(TabularInline):
    """The files of a session."""

    model = UploadFile
    extra = 0
    can_delete = False
    hide_title = True
    show_change_link = True
    verbose_name_plural = "files"
    fields = readonly_fields = ["filename", "device", "came_to", "rows", "new", "same", "changed", "rejected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UploadFile]:
        found: QuerySet[UploadFile] = super().get_queryset(request)
        return found.select_related("device__logger", "receipt", "session__logger")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Reply and state")
    def came_to(self, file: UploadFile) -> str:
        return f"{file.reply_status} {condition(file)}"


@admin.register(UploadSession)
class UploadSessionAdmin(ReadOnlyAdmin):
    """Sessions, newest first."""

    list_display = ["started_at", "logger", "house", "attempt", "requests", "failed", "files", "address"]
    list_filter = [("logger__house", VisibleFilter), ("logger", VisibleFilter)]
    list_select_related = ["logger__house"]
    search_fields = ["logger__serial", "logger__label", "address", "logger__house__name"]
    date_hierarchy = "started_at"
    show_full_result_count = False
    fields = [
        "logger",
        ("started_at", "last_at"),
        ("attempt", "address"),
        ("requests", "failures"),
        "told",
    ]
    readonly_fields = ["told"]
    inlines = [FileInline]
    when_empty = "A session is one call of a logger: a report of its health, and the files that it brings."

    def get_queryset(self, request: HttpRequest) -> QuerySet[UploadSession]:
        found = cast("QuerySet[UploadSession]", super().get_queryset(request))
        return found.annotate(file_count=Count("files"))

    @display(description="House", ordering="logger__house__name")
    def house(self, session: UploadSession) -> str:
        return str(session.logger.house)

    @display(description="Files", ordering="file_count")
    def files(self, session: Any) -> int:
        count: int = session.file_count
        return count

    @display(description="Failures", ordering="failures", label={"": "success"})
    def failed(self, session: UploadSession) -> str | None:
        return str(session.failures) if session.failures else None

    @display(description="What it said of itself")
    def told(self, session: UploadSession) -> str | None:
        if not session.status:
            return None
        return preformatted(json.dumps(session.status, indent=2, ensure_ascii=False))


@admin.register(UploadFile)
class UploadFileAdmin(ReadOnlyAdmin):
    """Files, newest first, with what came of their rows."""

    list_display = [
        "received_at",
        "name",
        "where",
        "reply_status",
        "state",
        "new",
        "same",
        "changed",
        "rejected",
    ]
    list_display_links = ["received_at", "name"]
    list_filter = [
        "receipt__state",
        "reply_status",
        ("session__logger__house", VisibleFilter),
        ("session__logger", VisibleFilter),
    ]
    list_select_related = ["session__logger", "device__logger", "receipt"]
    search_fields = ["filename", "md5", "session__logger__serial", "session__logger__label", "device__name"]
    date_hierarchy = "received_at"
    show_full_result_count = False
    fields = [
        ("name", "mode"),
        ("logger", "device"),
        ("received_at", "session"),
        ("state", "error"),
        ("reply_status", "reply"),
        ("rows", "faulty"),
        ("new", "same"),
        ("changed", "rejected"),
        ("from_", "until"),
        ("size_shown", "md5"),
        "remarks",
        "raw",
    ]
    readonly_fields = ["name", "logger", "state", "error", "from_", "until", "size_shown", "remarks", "raw"]
    actions = ["replay_selected"]
    actions_detail = ["replay"]
    when_empty = "Every file that a logger sends or fetches shows here, with the answer that it got."

    @display(description="File", ordering="filename")
    def name(self, file: UploadFile) -> str:
        return str(file)

    @display(description="Logger and device", ordering="session__logger__serial")
    def where(self, file: UploadFile) -> str:
        device = f", {file.device.address} {file.device.name}" if file.device else ""
        return f"{file.session.logger}{device}"

    @display(description="Logger", ordering="session__logger__serial")
    def logger(self, file: UploadFile) -> str:
        return str(file.session.logger)

    @display(description="Size", ordering="size")
    def size_shown(self, file: UploadFile) -> str:
        return filesizeformat(file.size)

    @display(description="State", ordering="receipt__state", label=LABELS)
    def state(self, file: UploadFile) -> str:
        return condition(file)

    @display(description="Why")
    def error(self, file: UploadFile) -> str | None:
        return (file.receipt.error or None) if file.receipt else None

    @display(description="Oldest row")
    def from_(self, file: UploadFile) -> str | None:
        return moment(file.first)

    @display(description="Newest row")
    def until(self, file: UploadFile) -> str | None:
        return moment(file.last)

    @display(description="Remarks")
    def remarks(self, file: UploadFile) -> str | None:
        return format_html_join("", "<p>{}</p>", ((note,) for note in file.notes)) or None

    @display(description="As it came")
    def raw(self, file: UploadFile) -> str | None:
        if file.receipt is None or file.receipt.body_id is None:
            return None
        url = reverse("admin:inbox_receipt_body", args=[file.receipt_id])
        return format_html('<a class="dialog-link" href="{}">Download</a>', url)

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may replay receipts."""
        return request.user.has_perm("inbox.replay_receipt") and self.has_view_permission(request, obj)

    def hidden_actions(self, request: HttpRequest, obj: UploadFile) -> set[str]:
        kept = obj.receipt is not None and obj.receipt.body_id is not None
        return set() if kept else {"replay"}

    @action(
        description="Replay",
        icon="replay",
        permissions=["replay"],
        dialog={
            "title": "Replay this file",
            "description": "It is read again with today's mapping. What is stored already stays the same.",
            "form_submit_text": "Replay",
        },
    )
    def replay(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        file: UploadFile = self.existing(request, object_id)
        if file.receipt is None:
            raise Http404
        try:
            replaying.replay(receipt=file.receipt, by=cast(User, request.user))
        except replaying.BodyExpired as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "It is read again within a minute.")
        return leave_dialog(request, reverse("admin:meters_uploadfile_change", args=[file.pk]))

    @admin.action(description="Replay", permissions=["replay"])
    @asks_first(
        one="1 file will be read again with today's mapping, as a job; what is stored stays.",
        many="{count} files will be read again with today's mapping, as a job; what is stored stays.",
        submit="Replay",
        of=lambda files: files.filter(receipt__body__isnull=False),
        nothing="None of these files is kept.",
    )
    def replay_selected(self, request: HttpRequest, files: QuerySet[UploadFile]) -> HttpResponse:
        ids = list(files.order_by("receipt").values_list("receipt", flat=True))
        job = replaying.replay_selected(receipts=ids, by=cast(User, request.user))
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))
