"""Who the tests ask as: Alice, Bob, Charlie, Ann and an administrator, and the two houses between them.

Alice (operator), Bob (homeowner) and Ann (analyst) belong to house A; Charlie (homeowner) to house B.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from apps.accounts import throttles
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.analytics.reports import panel
from apps.desk import live
from apps.houses.models import House, Membership

PASSWORD = "correct-horse-battery"  # every fixture person's
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"

AsUser = Callable[[User], Client]


@pytest.fixture(autouse=True)
def _light_settings(settings: Settings) -> None:
    """What makes tests quick and independent of each other, without changing what they test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.AXES_ENABLED = False  # its own tests turn it on
    throttles.forget()
    live.forget()
    panel.forget()
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def clean_cache(settings: Settings) -> None:
    """A corner of the cache of one's own: throttles and remembered answers outlive a test otherwise."""
    default = {**settings.CACHES["default"], "KEY_PREFIX": uuid4().hex}
    settings.CACHES = {**settings.CACHES, "default": default}


@pytest.fixture
def no_cache(settings: Settings) -> None:
    """A cache whose Redis refuses connections."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:9/0"}}


@pytest.fixture
def house_a(db: None) -> House:
    return House.objects.create(name="house-a", label="House A", time_zone="Europe/Brussels")


@pytest.fixture
def house_b(db: None) -> House:
    return House.objects.create(name="house-b", label="House B", time_zone="America/Los_Angeles")


@pytest.fixture
def admin(db: None) -> User:
    return person("admin", Role.ADMINISTRATOR)


@pytest.fixture
def alice(house_a: House) -> User:
    return person("alice", Role.OPERATOR, house_a)


@pytest.fixture
def bob(house_a: House) -> User:
    return person("bob", Role.HOMEOWNER, house_a)


@pytest.fixture
def charlie(house_b: House) -> User:
    return person("charlie", Role.HOMEOWNER, house_b)


@pytest.fixture
def ann(house_a: House) -> User:
    return person("ann", Role.ANALYST, house_a)


@pytest.fixture
def as_user() -> AsUser:
    """A factory of clients that are logged in."""
    return log_in


def person(name: str, role: Role, *houses: House) -> User:
    """Save a user `name`@example.com with PASSWORD who belongs to `houses`."""
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.title(), role=role)
    Membership.objects.bulk_create(Membership(house=house, user=user) for house in houses)
    return user


def log_in(user: User) -> Client:
    """A client with a session of `user`."""
    client = Client()
    client.force_login(user, backend=MODEL_BACKEND)
    return client
