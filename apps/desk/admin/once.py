"""The credential of a house, shown once on its page."""

from __future__ import annotations

import json

from django.http import HttpRequest

from apps.accounts import once
from apps.houses.credentials import Bundle
from apps.houses.models import House


def keep(request: HttpRequest, house: House, bundle: Bundle) -> None:
    """Have the next page of `house` show `bundle`."""
    once.keep(request, _place(house), json.dumps(bundle.as_dict()))


def take(request: HttpRequest, house: House) -> Bundle | None:
    """The bundle kept for this page, which no page can have again."""
    text = once.take(request, _place(house))
    return None if text is None else Bundle(**json.loads(text))


def _place(house: House) -> str:
    return f"credential-of-house-{house.pk}"
