"""What is asked of everything that keeps bodies."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.inbox.bodies import Bodies, BodyDamaged, BodyMissing
from tests.readings.threads import at_once

LOG = "".join(
    f"'2026-03-10 00:00:00',0,,,{n * 7919 % 9973 / 10},{n * n % 8011}\n" for n in range(500)
).encode()
BODIES = {
    "empty": b"",
    "one byte": b"\0",
    "text": LOG,
    "gzip": gzip.compress(LOG, mtime=0),
    "like a zstd frame": b"\x28\xb5\x2f\xfd" + bytes(range(256)),
    "every byte": bytes(range(256)) * 100,
}


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def keep(store: Bodies, body: bytes) -> str:
    with transaction.atomic():
        return store.put(body)


class BodiesContract:
    """Subclasses are tests of one store: they offer the fixtures `store`, `count` and `damage`.

    `count()` is how many bodies are kept; `damage(sha256)` changes a byte of what is kept.
    """

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_bytes_come_back_as_they_were(self, store: Bodies, body: bytes) -> None:
        assert keep(store, body) == sha256(body)
        assert store.get(sha256(body)) == body

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(body=st.binary(max_size=5000))
    def test_any_bytes_come_back(self, store: Bodies, body: bytes) -> None:
        assert store.get(keep(store, body)) == body

    def test_a_large_body_comes_back(self, store: Bodies) -> None:
        body = LOG * 1000
        assert store.get(keep(store, body)) == body

    def test_the_same_bytes_are_kept_once(self, store: Bodies, count: Callable[[], int]) -> None:
        assert keep(store, LOG) == keep(store, LOG)
        assert count() == 1

    def test_the_same_bytes_from_everywhere_at_once_are_kept_once(
        self, store: Bodies, count: Callable[[], int]
    ) -> None:
        at_once(*[lambda: keep(store, LOG)] * 6)
        assert count() == 1
        assert store.get(sha256(LOG)) == LOG

    def test_what_was_never_put_is_missing(self, store: Bodies) -> None:
        with pytest.raises(BodyMissing):
            store.get(sha256(LOG))

    def test_what_was_dropped_is_missing_and_can_be_put_again(self, store: Bodies) -> None:
        kept, other = keep(store, LOG), keep(store, b"other")
        store.drop([kept, sha256(b"never put")])
        with pytest.raises(BodyMissing):
            store.get(kept)
        assert store.get(other) == b"other"
        assert store.get(keep(store, LOG)) == LOG

    @pytest.mark.parametrize("body", [LOG, bytes(range(200))], ids=["compressed", "as such"])
    def test_a_changed_byte_is_noticed(
        self, store: Bodies, damage: Callable[[str], None], body: bytes
    ) -> None:
        kept = keep(store, body)
        damage(kept)
        with pytest.raises(BodyDamaged):
            store.get(kept)
