"""What the frame around every page needs to know."""

from __future__ import annotations

from collections.abc import Sequence

from django.template import Library
from django.template.context import Context

from apps.houses.models import House

register = Library()


MOST = 20  # in the menu; a page of their own lists them all


@register.simple_tag(takes_context=True)
def visible_houses(context: Context) -> Sequence[House]:
    """The houses the visitor may choose from, MOST + 1 at most; none on pages rendered without a visitor."""
    user = context.get("user")
    if user is None or not user.is_authenticated:
        return []
    return list(House.objects.visible_to(user).only("name", "label")[: MOST + 1])
