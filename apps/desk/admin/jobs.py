"""Jobs in the admin: how far they are, as they run, and a way to stop them."""

from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts.models import User
from apps.houses.scoped_admin import ReadOnlyAdmin, leave_dialog
from apps.jobs.models import UNFINISHED, Job
from apps.jobs.run import cancel

FRAGMENT = "admin/jobs/job/progress.html"


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs: an administrator sees all, others what they started themselves."""

    list_display = ["title", "subject", "progress", "by", "created_at", "ended_at"]
    list_display_links = ["title", "subject"]
    list_filter = ["state"]
    list_select_related = ["by"]
    search_fields = ["kind", "subject", "message", "by__email", "by__name"]
    fields = [
        "subject",
        "progress",
        ("by", "cancelled_by"),
        ("created_at", "started_at", "ended_at"),
        "attempts",
    ]
    readonly_fields = ["progress"]
    actions_detail = ["stop"]
    when_empty = "What takes longer than a moment, such as deleting a house, runs as a job and shows here."

    class Media:
        css = {"all": ["css/jobs.css"]}

    @display(description="Job", ordering="kind")
    def title(self, job: Job) -> str:
        return job.title

    @display(description="Progress", ordering="state")
    def progress(self, job: Job) -> str:
        return render_to_string(FRAGMENT, {"job": job})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.progress_view)
        own = path("<path:object_id>/progress/", view, name="jobs_job_progress")
        return [own, *super().get_urls()]

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The progress alone, for pages that show it; once the job has ended, they load themselves anew."""
        job: Job = self.existing(request, object_id)
        response = render(request, FRAGMENT, {"job": job})
        if job.ended_at:
            response["HX-Refresh"] = "true"
        return response

    def hidden_actions(self, request: HttpRequest, obj: Job) -> set[str]:
        return set() if obj.state in UNFINISHED else {"stop"}

    @action(
        description="Stop",
        icon="stop_circle",
        permissions=["view"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Stop this job",
            "description": "It ends at its next step. What it has done stays done.",
            "form_submit_text": "Stop",
        },
    )
    def stop(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        job: Job = self.existing(request, object_id)
        if cancel(job=job, by=cast(User, request.user)):
            self.log_change(request, job, "Stopped.")
            messages.success(request, f"“{job}” is asked to stop.")
        else:
            messages.info(request, f"“{job}” had ended already.")
        return leave_dialog(request, reverse("admin:jobs_job_change", args=[job.pk]))
