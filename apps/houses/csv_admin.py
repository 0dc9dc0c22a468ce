"""Admin pages whose lists can be taken out as a file and brought in from one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action

from apps.accounts.models import User
from apps.houses import tables
from apps.houses.scoped_admin import ScopedAdmin


class UploadForm(forms.Form):
    """The file to bring in."""

    file = forms.FileField(label="CSV file", widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}))


class CsvAdmin(ScopedAdmin):
    """A list with *Export* and *Import*. Both concern what is visible, and the latter all rows or none."""

    csv_columns: ClassVar[Sequence[str]]
    csv_row: ClassVar[Callable[[Any], list[object]]]
    csv_save: ClassVar[Callable[[tables.Row, User], object]]
    csv_help: ClassVar[str]
    actions_list: ClassVar[list[str]] = ["export_csv", "import_csv"]
    # Followed as a link, Import shows a form; only its POST, with a token, changes anything.
    reading_actions: ClassVar[frozenset[str]] = frozenset({"export_csv", "import_csv"})

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Who may add and change."""
        return bool(self.has_add_permission(request) and self.has_change_permission(request))

    @action(description="Export", icon="download", permissions=["view"])
    def export_csv(self, request: HttpRequest) -> HttpResponse:
        """Everything visible, as a file."""
        related = cast("list[str]", self.list_select_related or [])
        found = self.get_queryset(request).select_related(*related) if related else self.get_queryset(request)
        rows = (type(self).csv_row(one) for one in found)
        name = f"{self.opts.model_name}s.csv"
        return HttpResponse(
            tables.write(self.csv_columns, rows),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )

    @action(description="Import", icon="upload", permissions=["import"])
    def import_csv(self, request: HttpRequest) -> HttpResponse:
        """Ask for a file, and save what is in it or tell what is wrong with it."""
        form = UploadForm(request.POST or None, request.FILES or None)
        faults: list[tables.Fault] = []
        if request.method == "POST" and form.is_valid():
            try:
                return self._imported(request, form.cleaned_data["file"].read(tables.MOST_BYTES + 1))
            except tables.FaultsError as error:
                faults = error.faults
        return self._import_page(request, form, faults)

    def _imported(self, request: HttpRequest, content: bytes) -> HttpResponse:
        if not self.has_import_permission(request):
            raise PermissionDenied
        by = cast(User, request.user)
        rows = tables.read(content, self.csv_columns)
        count = tables.save_all(rows, lambda row: type(self).csv_save(row, by))
        messages.success(request, f"{count} rows are saved.")
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))

    def _import_page(
        self, request: HttpRequest, form: UploadForm, faults: Sequence[tables.Fault]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Import {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "faults": faults,
            "columns": self.csv_columns,
            "help": self.csv_help,
        }
        return TemplateResponse(request, "admin/csv_import.html", context)
