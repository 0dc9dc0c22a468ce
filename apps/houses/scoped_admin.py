"""Base classes of admin pages: everybody sees what belongs to their houses, and the rest does not exist.

The model's manager must offer `visible_to(user)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib.admin import RelatedFieldListFilter
from django.contrib.admin.utils import unquote
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin

from apps.accounts.models import User


def visible(model: type[Model], request: HttpRequest) -> QuerySet[Model]:
    """The objects of `model` that the person asking may know of: all where houses do not matter."""
    manager = model._default_manager
    if not hasattr(manager, "visible_to"):
        return manager.all()
    found: QuerySet[Model] = manager.visible_to(cast(User, request.user))
    return found


def leave_dialog(request: HttpRequest, url: str) -> HttpResponse:
    """What an action's dialog answers when its work is done: go on to `url`, with or without htmx."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def preformatted(text: str, style: str = "") -> SafeString:
    """Text as it stands, in a box that scrolls by itself, for mouse and keyboard."""
    return format_html('<pre tabindex="0" class="{}">{}</pre>', style, text)


class VisibleFilter(RelatedFieldListFilter):
    """Filters a list by related objects, offering visible ones: `list_filter = [("house", …)]`."""

    def field_choices(
        self, field: Field[Any, Any], request: HttpRequest, model_admin: Any
    ) -> list[tuple[str, Any]]:
        """The choices of the filter."""
        related = cast("ForeignKey[Any, Any]", field).remote_field.model
        return [(str(choice.pk), str(choice)) for choice in visible(related, request)]


class ScopedAdmin(ModelAdmin):
    """An admin that shows what is visible, and answers 404 for the rest."""

    list_per_page = 50  # twice as quick as Django's hundred, and still more than a screen

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        ordering = self.get_ordering(request)
        found = visible(self.model, request)
        return found.order_by(*ordering) if ordering else found

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Model] | None:
        kwargs.setdefault("queryset", visible(db_field.remote_field.model, request))
        return cast(
            "ModelChoiceField[Model] | None", super().formfield_for_foreignkey(db_field, request, **kwargs)
        )

    def existing(self, request: HttpRequest, object_id: object) -> Any:
        """The visible object of that id, for actions, which get an id. Raises Http404."""
        found = self.get_object(request, unquote(str(object_id)))
        if found is None:
            raise Http404
        return found

    def hidden_actions(self, request: HttpRequest, obj: Any) -> set[str]:
        """The names of the actions on the object's page that make no sense for it as it is. A hook."""
        return set()

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered: list[Any] = super().get_actions_detail(request, object_id)
        if not offered:
            return []
        names = self.hidden_actions(request, self.existing(request, object_id))
        hidden = {f"{self.opts.app_label}_{self.opts.model_name}_{name}" for name in names}
        return [action for action in offered if action.action_name not in hidden]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_view_permission(request, self._known(request, obj)))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_change_permission(request, self._known(request, obj)))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_delete_permission(request, self._known(request, obj)))

    def _known(self, request: HttpRequest, obj: Any) -> Any:
        """Unfold asks about an id where Django asks about an object."""
        return obj if obj is None or isinstance(obj, Model) else self.existing(request, obj)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, *args: Any) -> HttpResponse:
        raise Http404  # Django would say that it "doesn't exist. Perhaps it was deleted?" on another page


class DetailedAdmin(ScopedAdmin):
    """An admin whose objects' pages show more than a form. Stands before the other bases."""

    def page_context(self, request: HttpRequest, obj: Any) -> Mapping[str, Any]:
        """What the template of the object's page needs besides its form."""
        return {}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        shown = self.page_context(request, self.existing(request, object_id))
        context = {**(extra_context or {}), **shown}
        return cast(HttpResponse, super().change_view(request, object_id, form_url, context))


class ReadOnlyAdmin(ScopedAdmin):
    """A list and pages without anything to add, change or delete."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ScopedHistoryAdmin(SimpleHistoryAdmin, ScopedAdmin):
    """With a history of changes, of visible objects only: simple-history itself shows everybody's."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.existing(request, object_id)
        return cast(HttpResponse, super().history_view(request, object_id, extra_context))

    def history_form_view(
        self,
        request: HttpRequest,
        object_id: str,
        version_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self.existing(request, object_id)
        return cast(HttpResponse, super().history_form_view(request, object_id, version_id, extra_context))
