"""The line on top of every admin page: where one is, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.db.models.options import Options
from django.template import Library
from django.template.context import Context
from django.urls import reverse

from apps.desk.titles import name_of, title_of

register = Library()

# The pages below an object's own, by the last word of their names.
BELOW = {"history": "History", "delete": "Delete", "simple_history": "Earlier version"}


@dataclass(frozen=True)
class Step:
    """A page on the way; `url` is empty for the page one is on."""

    title: str
    url: str = ""


@register.simple_tag(takes_context=True)
def trail(context: Context) -> list[Step]:
    """The way from a list to this page: “Houses”, “Demo house”, “History”."""
    opts = context.get("original_opts") or context.get("opts")  # an earlier version has a model of its own
    if opts is None:
        return [Step(context.get("title") or "")]
    steps = [Step(title_of(opts.model), _list_url(opts)), *_below_list(context, opts)]
    return [*steps[:-1], Step(steps[-1].title)]


@register.filter
def called(opts: Options[Any], count: int = 1) -> str:
    """What so many of a model are called: `{{ opts|called:3 }}`."""
    return name_of(opts.model, count)


def _below_list(context: Context, opts: Options[Any]) -> list[Step]:
    page, found = _page(context, opts), context.get("original") or context.get("object")
    if isinstance(found, Model):
        below = [Step(BELOW[page])] if page in BELOW else []
        return [Step(str(found), _object_url(found)), *below]
    return [Step(f"Add {name_of(opts.model)}")] if page == "add" else []


def _page(context: Context, opts: Options[Any]) -> str:
    """The last word of the page's name: “changelist”, “add”, “change” …"""
    match = context["request"].resolver_match
    return match.url_name.removeprefix(f"{opts.app_label}_{opts.model_name}_") if match else ""


def _list_url(opts: Options[Any]) -> str:
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")


def _object_url(found: Model) -> str:
    opts = found._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[found.pk])
