"""JSON kept encrypted at rest."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    Field = models.Field[Any, Any]
else:
    Field = models.Field


class EncryptedJSONField(Field):
    """A JSON object kept as one Fernet token: the first of settings.FIELD_KEYS encrypts, every one decrypts.

    It cannot be searched, and only the token leaves it through `dumpdata`. The field object holds no
    state: model fields are shared by all threads.
    """

    description = "Encrypted JSON object"
    empty_strings_allowed = False

    def get_internal_type(self) -> str:
        return "TextField"

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(value)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else decrypt(value)

    def to_python(self, value: Any) -> Any:
        """A token, as `loaddata` brings it, is decrypted; anything else is the value itself."""
        return decrypt(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        return encrypt(self.value_from_object(obj))

    def get_lookup(self, lookup_name: str) -> NoReturn:
        raise FieldError(f"{self.name} is encrypted: rows cannot be searched by it.")

    def get_transform(self, lookup_name: str) -> NoReturn:
        raise FieldError(f"{self.name} is encrypted: rows cannot be searched by it.")


def encrypt(value: Any) -> str:
    """The Fernet token of `value` as JSON."""
    return _box(tuple(settings.FIELD_KEYS)).encrypt(json.dumps(value).encode()).decode()


def decrypt(token: str) -> Any:
    """The value in `token`. Raises ImproperlyConfigured when none of the keys opens it."""
    try:
        return json.loads(_box(tuple(settings.FIELD_KEYS)).decrypt(token.encode()))
    except InvalidToken:
        raise ImproperlyConfigured("No key of FIELD_KEYS decrypts a secret in the database.") from None


@lru_cache(maxsize=8)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
