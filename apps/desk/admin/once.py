"""Shows a credential once: kept encrypted in the session from the request that made it to the page after."""

from __future__ import annotations

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.http import HttpRequest

from apps.houses.credentials import Bundle
from apps.houses.models import House

WAIT_S = 600  # a page that is not opened by then has lost it


def keep(request: HttpRequest, house: House, bundle: Bundle) -> None:
    """Have the next page of `house` show `bundle`."""
    request.session[_place(house)] = _box().encrypt(json.dumps(bundle.as_dict()).encode()).decode()


def take(request: HttpRequest, house: House) -> Bundle | None:
    """The bundle kept for this page, which no page can have again."""
    token = request.session.pop(_place(house), None)
    if token is None:
        return None
    try:
        return Bundle(**json.loads(_box().decrypt(token.encode(), ttl=WAIT_S)))
    except InvalidToken:
        return None


def _place(house: House) -> str:
    return f"credential-of-house-{house.pk}"


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])
