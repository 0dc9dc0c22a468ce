"""PostgreSQL as the keeper of bodies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from apps.inbox.bodies import Bodies, PostgresBodies
from apps.inbox.models import Body
from tests.inbox.contract import BODIES, LOG, BodiesContract, keep


@pytest.mark.django_db(transaction=True)
class TestPostgresBodies(BodiesContract):
    @pytest.fixture
    def store(self) -> Bodies:
        return PostgresBodies()

    @pytest.fixture
    def count(self) -> Callable[[], int]:
        return Body.objects.count

    @pytest.fixture
    def damage(self) -> Callable[[str], None]:
        def change_a_byte(sha256: str) -> None:
            row = Body.objects.get(pk=sha256)
            payload = bytearray(row.payload)
            payload[len(payload) // 2] ^= 1
            Body.objects.filter(pk=sha256).update(payload=bytes(payload))

        return change_a_byte

    @pytest.mark.parametrize("name", BODIES)
    def test_a_body_never_takes_more_room_than_it_has_bytes(self, store: Bodies, name: str) -> None:
        row = Body.objects.get(pk=keep(store, BODIES[name]))
        assert len(row.payload) <= row.size == len(BODIES[name])
        assert row.compressed == (name in {"text", "every byte"})

    def test_postgresql_does_not_compress_again(self, store: Bodies) -> None:
        keep(store, LOG)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT attstorage FROM pg_attribute"
                " WHERE attrelid = 'inbox_body'::regclass AND attname = 'payload'"
            )
            assert cursor.fetchone() == ("e",)
