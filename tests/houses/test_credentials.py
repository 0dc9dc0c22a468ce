"""Edge credentials: what is kept of a key, which keys open a house, and for how long."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from apps.accounts.models import User
from apps.houses import credentials
from apps.houses.credentials import issue, revoke, rotate, verify
from apps.houses.memory import Memory
from apps.houses.models import EdgeCredential, House

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _no_memory() -> Iterator[None]:
    credentials.forget()
    yield
    credentials.forget()


def test_a_bundle_names_the_house_and_the_address_others_reach_us_at(
    house_a: House, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://desk.example"
    bundle = issue(house=house_a)
    assert bundle.as_dict() == {"house": "house-a", "url": "https://desk.example", "key": bundle.key}


def test_a_key_has_256_random_bits_and_only_its_digest_is_kept(house_a: House) -> None:
    key = issue(house=house_a).key
    kept = EdgeCredential.objects.get()
    assert len(urlsafe_b64decode(key + "=")) == 32
    assert bytes(kept.digest) == hashlib.sha256(key.encode()).digest()
    assert key.startswith(kept.hint)
    assert key not in _whole_table()


def test_two_keys_differ(house_a: House) -> None:
    assert issue(house=house_a).key != issue(house=house_a).key


def test_who_issued_a_key_is_on_record(house_a: House, alice: User) -> None:
    issue(house=house_a, by=alice)
    assert EdgeCredential.objects.get().created_by == alice


def test_a_key_opens_its_house_and_no_other(house_a: House, house_b: House) -> None:
    key_a, key_b = issue(house=house_a).key, issue(house=house_b).key
    assert verify(key_a, now=NOON) == house_a
    assert verify(key_b, now=NOON) == house_b


@pytest.mark.parametrize("key", ["", "nonsense", "ключ", "\ud800", "x" * 100_000])
def test_an_unknown_key_opens_nothing(house_a: House, key: str) -> None:
    issue(house=house_a)
    assert verify(key, now=NOON) is None


def test_a_disabled_house_is_still_recognised(house_a: House) -> None:
    key = issue(house=house_a).key
    House.objects.update(enabled=False)
    house = verify(key, now=NOON)
    assert house is not None
    assert not house.enabled


def test_a_house_may_hold_several_keys(house_a: House) -> None:
    keys = [issue(house=house_a).key for _ in range(3)]
    assert all(verify(key, now=NOON) == house_a for key in keys)


def test_a_verified_key_costs_no_query_for_a_minute(
    house_a: House, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key = issue(house=house_a).key
    verify(key, now=NOON)
    with django_assert_num_queries(0):
        assert verify(key, now=NOON + 59 * SECOND) == house_a
    with django_assert_num_queries(2):
        assert verify(key, now=NOON + 60 * SECOND) == house_a


@pytest.mark.django_db
def test_a_wrong_key_costs_no_query_for_a_minute(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    assert verify("wrong", now=NOON) is None
    with django_assert_num_queries(0):
        assert verify("wrong", now=NOON + 59 * SECOND) is None
    with django_assert_num_queries(1):
        assert verify("wrong", now=NOON + 60 * SECOND) is None


def test_a_revoked_key_stops_within_a_minute(house_a: House) -> None:
    key = issue(house=house_a).key
    assert verify(key, now=NOON) == house_a
    revoke(credential=EdgeCredential.objects.get())
    assert verify(key, now=NOON + 60 * SECOND) is None


def test_who_revoked_a_key_and_when_stays_on_record(house_a: House, alice: User, admin: User) -> None:
    issue(house=house_a)
    credential = EdgeCredential.objects.get()
    revoke(credential=credential, by=alice)
    first = credential.revoked_at
    revoke(credential=credential, by=admin)
    assert first is not None
    assert (credential.revoked_at, credential.revoked_by) == (first, alice)


def test_rotation_leaves_one_key_of_this_house_and_every_key_of_others(
    house_a: House, house_b: House, alice: User
) -> None:
    old, other = issue(house=house_a).key, issue(house=house_b).key
    new = rotate(house=house_a, by=alice).key
    assert [verify(key, now=NOON) for key in (old, new, other)] == [None, house_a, house_b]
    assert EdgeCredential.objects.get(revoked_at__isnull=False).revoked_by == alice


@pytest.mark.django_db(transaction=True)
def test_rotations_at_the_same_moment_leave_exactly_one_key() -> None:
    house = House.objects.create(name="busy")

    def rotate_in_thread(_: int) -> None:
        rotate(house=house)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(rotate_in_thread, range(8)))
    assert house.credentials.filter(revoked_at=None).count() == 1


def test_use_is_noted_at_most_once_a_minute_for_all_processes(house_a: House) -> None:
    key = issue(house=house_a).key
    for seconds, noted in [(0, 0), (59, 0), (60, 60), (90, 60), (130, 130)]:
        credentials.forget()  # as another process, which remembers nothing
        verify(key, now=NOON + seconds * SECOND)
        assert EdgeCredential.objects.get().last_used_at == NOON + noted * SECOND


def test_the_memory_is_bounded_and_drops_the_oldest() -> None:
    memory: Memory[int] = Memory(size=3, age=timedelta(seconds=60))
    for number in range(5):
        memory.keep(bytes([number]), number + 1, NOON)
    assert len(memory) == 3
    assert [memory.recall(bytes([number]), NOON) for number in range(5)] == [None, None, 3, 4, 5]


def test_a_flood_of_wrong_keys_pushes_no_right_one_out(
    house_a: House, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(credentials, "_bad", Memory(size=4, age=credentials.MEMORY_AGE))
    monkeypatch.setattr(credentials, "_good", Memory(size=4, age=credentials.MEMORY_AGE))
    key = issue(house=house_a).key
    verify(key, now=NOON)
    for number in range(10):
        verify(f"wrong-{number}", now=NOON)
    with django_assert_num_queries(0):
        assert verify(key, now=NOON) == house_a


def test_a_clock_set_back_does_not_prolong_an_answer(house_a: House) -> None:
    key = issue(house=house_a).key
    verify(key, now=NOON)
    revoke(credential=EdgeCredential.objects.get())
    assert verify(key, now=NOON - timedelta(hours=1)) is None


def _whole_table() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(c::text, '') FROM houses_edgecredential c")
        return str(cursor.fetchone()[0])
