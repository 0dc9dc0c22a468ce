"""Shows a secret once: kept encrypted in the session from the request that made it to the page after."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.http import HttpRequest

WAIT_S = 600  # a page that is not opened by then has lost it


def keep(request: HttpRequest, place: str, text: str) -> None:
    """Have the next page that asks for what is kept at `place` show `text`."""
    request.session[place] = _box().encrypt(text.encode()).decode()


def take(request: HttpRequest, place: str) -> str | None:
    """What is kept at `place`, which no page can have again."""
    token = request.session.pop(place, None)
    if token is None:
        return None
    try:
        return _box().decrypt(token.encode(), ttl=WAIT_S).decode()
    except InvalidToken:
        return None


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])
