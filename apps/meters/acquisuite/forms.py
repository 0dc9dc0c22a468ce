"""Reading a logger's request, bounded and tolerant: what cannot be understood is told, never half taken."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from apps.inbox.arrivals import MOST_BYTES
from apps.meters.acquisuite.replies import RefusedError, failure
from config.text import storable

OVERHEAD = 256 * 1024
"""What the variables may add to the largest file."""
LONGEST_VALUE = 500
SECRETS = frozenset({"PASSWORD"})
_UNREADABLE = (MultiPartParserError, SuspiciousOperation, UnicodeError, ValueError, LookupError)


@dataclass(frozen=True)
class Part:
    """A file as it came: the bytes, and the name that the logger gave it, without any folder."""

    filename: str
    body: bytes

    @cached_property
    def md5(self) -> str:
        """The checksum of the bytes as sent, as loggers write it."""
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Form:
    """What a request holds.

    `variables` by their names in capitals, without the password; `files` by the names of their fields,
    in capitals too; `complete` tells whether all that was announced came.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    password: str | None = None
    basic: tuple[str, str] | None = None
    files: Mapping[str, Part] = field(default_factory=dict)
    complete: bool = True

    def number(self, name: str) -> int | None:
        """A variable that is a number, None where it is missing or none."""
        text = self.variables.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


class _InMemory(MemoryFileUploadHandler):
    """Keeps files in memory however large; the whole body is bounded and in memory already."""

    def handle_raw_input(self, *args: Any, **options: Any) -> None:
        self.activated = True


def read(request: HttpRequest) -> Form:
    """The form in a request. Raises RefusedError for one that cannot be read."""
    body = _body(request)
    complete = len(body) >= _announced(request)
    posted, files = _parsed(request, body)
    return _form(posted, files, _basic(request), complete)


def _body(request: HttpRequest) -> bytes:
    most = MOST_BYTES + OVERHEAD
    try:
        body = request.read(most + 1)
    except (UnreadablePostError, OSError) as error:
        raise RefusedError(failure(406, "the request ended too early")) from error
    if len(body) > most:
        raise RefusedError(failure(406, f"the request has more than {most} bytes"))
    return body


def _announced(request: HttpRequest) -> int:
    text = str(request.META.get("CONTENT_LENGTH") or "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def _parsed(request: HttpRequest, body: bytes) -> tuple[QueryDict, Mapping[str, Any]]:
    """The variables and files of a body of either type of form; nothing of one of another."""
    kind = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            meta = {**request.META, "CONTENT_LENGTH": len(body)}
            return MultiPartParser(meta, io.BytesIO(body), [_InMemory()], settings.DEFAULT_CHARSET).parse()
        if kind == "application/x-www-form-urlencoded":
            return QueryDict(body, encoding="utf-8"), {}
    except _UNREADABLE as error:
        raise RefusedError(failure(400, "the form cannot be read")) from error
    return QueryDict(), {}


def _form(posted: QueryDict, files: Any, basic: tuple[str, str] | None, complete: bool) -> Form:
    """Of a variable that comes twice the first counts."""
    given: dict[str, str] = {}
    for name, values in posted.lists():
        given.setdefault(storable(name.strip().upper(), 64), str(values[0]) if values else "")
    password = given.get("PASSWORD")
    variables = {
        name: storable(value.strip(), LONGEST_VALUE) for name, value in given.items() if name not in SECRETS
    }
    parts: dict[str, Part] = {}
    for name, uploads in files.lists() if files else ():
        one = uploads[0]
        parts.setdefault(name.strip().upper(), Part(storable(one.name or "", 200), one.read()))
    return Form(variables, password, basic, parts, complete)


def _basic(request: HttpRequest) -> tuple[str, str] | None:
    """User and password of the header; None where there is none, or none that can be read."""
    scheme, _, encoded = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    user, _, password = text.partition(":")
    return user, password
