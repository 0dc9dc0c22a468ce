"""Receipts in the admin: who sees which, the bytes as they came, and replays."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.houses.confirmation import CONFIRMED
from apps.houses.models import House
from apps.inbox.models import Receipt, State
from apps.inbox.replaying import JOB
from apps.jobs.models import Job
from tests.browser import OpenAs
from tests.inbox import lines
from tests.inbox.conftest import Arrive
from tests.people import AsUser

# Not in a transaction of the test's, as arrivals are committed.
pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:inbox_receipt_changelist")
REPLAY_ALL = reverse("admin:inbox_receipt_replay_all")


def address(receipt: Receipt, name: str = "change") -> str:
    return reverse(f"admin:inbox_receipt_{name}", args=[receipt.pk])


def answer(client: Client, url: str, **values: str) -> int:
    return client.post(url, {"_form_submitted": "on", **values}).status_code


@pytest.fixture
def own(parsed: Arrive, house_a: House) -> Receipt:
    return parsed("mend", house=house_a, origin="logger A", metadata={"filename": "mb-001.log"})


@pytest.fixture
def foreign(parsed: Arrive, house_b: House) -> Receipt:
    return parsed("mend", house=house_b, origin="logger B", kind=lines.KIND)


@pytest.fixture
def nobodys(parsed: Arrive) -> Receipt:
    return parsed("mend", origin="logger C")


def test_the_list_tells_what_arrived_and_what_became_of_it(
    as_user: AsUser, alice: User, own: Receipt
) -> None:
    text = as_user(alice).get(LIST).content.decode()
    for shown in ("logger A", "House A", "test.lines", "Failed", "An unexpected error", "4\xa0bytes"):
        assert shown in text


def test_receipts_of_other_houses_and_of_none_are_an_administrators(
    as_user: AsUser, alice: User, admin: User, own: Receipt, foreign: Receipt, nobodys: Receipt
) -> None:
    client = as_user(alice)
    shown, every = client.get(LIST).content.decode(), as_user(admin).get(LIST).content.decode()
    assert [name in shown for name in ("logger A", "logger B", "logger C")] == [True, False, False]
    assert [name in every for name in ("logger A", "logger B", "logger C")] == [True, True, True]
    for hidden in (foreign, nobodys):
        for name in ("change", "body", "history", "replay"):
            assert client.get(address(hidden, name)).status_code == 404
        assert answer(client, address(hidden, "replay")) == 404
        assert as_user(admin).get(address(hidden, "body")).status_code == 200


def test_homeowners_and_analysts_have_no_inbox(
    as_user: AsUser, bob: User, charlie: User, ann: User, own: Receipt
) -> None:
    urls = [LIST, REPLAY_ALL, *(address(own, name) for name in ("change", "body", "replay"))]
    for user in (bob, charlie, ann):
        assert {as_user(user).get(url).status_code for url in urls} == {403}
        assert answer(as_user(user), address(own, "replay")) == 403
    own.refresh_from_db()
    assert own.state == State.FAILED


def test_a_visitor_gets_no_bytes(client: Client, own: Receipt) -> None:
    assert client.get(address(own, "body"))["Location"].startswith("/accounts/login/")


def test_the_body_is_saved_as_it_came_and_never_shown(
    as_user: AsUser, alice: User, arrive: Arrive, house_a: House
) -> None:
    body = b"<script>alert(1)</script>\0\xff"
    receipt = arrive(body=body, house=house_a, metadata={"filename": "mb-001.log.gz"})
    response = as_user(alice).get(address(receipt, "body"))
    assert response.content == body
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="mb-001.log.gz"'
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("given", "disposition"),
    [
        ("../../etc/passwd", 'attachment; filename="passwd"'),
        ("C:\\logs\\mb.log", 'attachment; filename="mb.log"'),
        ('a"b.log', 'attachment; filename="a\\"b.log"'),
        ("größe.log", "attachment; filename*=utf-8''gr%C3%B6%C3%9Fe.log"),
        ("a\r\nSet-Cookie: x.log", 'attachment; filename="test.lines-{pk}.bin"'),
        ("..", 'attachment; filename="test.lines-{pk}.bin"'),
        (None, 'attachment; filename="test.lines-{pk}.bin"'),
        (7, 'attachment; filename="test.lines-{pk}.bin"'),
    ],
)
def test_the_name_a_sender_gave_is_no_danger(
    as_user: AsUser, alice: User, arrive: Arrive, house_a: House, given: object, disposition: str
) -> None:
    receipt = arrive(house=house_a, metadata={"filename": given})
    response = as_user(alice).get(address(receipt, "body"))
    assert response["Content-Disposition"] == disposition.format(pk=receipt.pk)


def test_what_has_expired_offers_neither_bytes_nor_replay(as_user: AsUser, alice: User, own: Receipt) -> None:
    Receipt.objects.update(state=State.EXPIRED, body=None)
    client = as_user(alice)
    page = client.get(address(own)).content.decode()
    assert address(own, "body") not in page
    assert address(own, "replay") not in page
    assert "Expired" in client.get(LIST).content.decode()
    assert client.get(address(own, "body")).status_code == 404
    assert answer(client, address(own, "replay")) == 302
    own.refresh_from_db()
    assert own.state == State.EXPIRED


def test_one_receipt_is_replayed_after_asking(as_user: AsUser, alice: User, own: Receipt) -> None:
    client = as_user(alice)
    assert "parsed again" in client.get(address(own, "replay")).content.decode()
    own.refresh_from_db()
    assert own.state == State.FAILED
    assert answer(client, address(own, "replay")) == 302
    own.refresh_from_db()
    assert own.state == State.RECEIVED
    assert "Replayed." in client.get(address(own, "history")).content.decode()


def test_a_selection_is_replayed_as_a_job_on_whose_page_one_lands(
    as_user: AsUser, alice: User, own: Receipt, foreign: Receipt
) -> None:
    choice = {"action": "replay_selected", "_selected_action": [str(own.pk), str(foreign.pk)], CONFIRMED: "1"}
    response = as_user(alice).post(LIST, choice)
    job = Job.objects.get()
    assert (job.kind, job.by, job.args["which"]) == (JOB, alice, {"pk__in": [own.pk]})
    assert response["Location"] == reverse("admin:jobs_job_change", args=[job.pk])


def test_all_of_a_kind_and_state_are_replayed_as_a_job(
    as_user: AsUser, alice: User, own: Receipt, foreign: Receipt
) -> None:
    client = as_user(alice)
    dialog = client.get(REPLAY_ALL).content.decode()
    assert "test.lines: failed (1)" in dialog
    assert answer(client, REPLAY_ALL, which=f"failed {lines.KIND}") == 302
    job = Job.objects.get()
    assert (job.by, job.args["which"]) == (alice, {"kind": lines.KIND, "state": "failed"})


@pytest.mark.parametrize("which", ["parsed test.lines", "failed test.other", "failed", ""])
def test_only_what_was_offered_can_be_replayed(
    as_user: AsUser, alice: User, own: Receipt, which: str
) -> None:
    assert answer(as_user(alice), REPLAY_ALL, which=which) == 200
    assert not Job.objects.exists()


def test_the_list_is_filtered_and_searched(
    as_user: AsUser, admin: User, own: Receipt, parsed: Arrive, house_b: House
) -> None:
    parsed("north", house=house_b, origin="logger B")
    client = as_user(admin)

    def origins(query: str) -> set[str]:
        return {receipt.origin for receipt in client.get(f"{LIST}?{query}").context["cl"].queryset}

    assert origins("state__exact=failed") == {"logger A"}
    assert origins(f"kind={lines.KIND}") == {"logger A", "logger B"}
    assert origins(f"house__id__exact={house_b.pk}") == {"logger B"}
    assert origins("q='logger+B'") == {"logger B"}
    assert origins(f"q={own.body_id}") == {"logger A"}


def test_filters_count_and_offer_no_kind_of_other_houses(
    as_user: AsUser, alice: User, own: Receipt, arrive: Arrive, house_b: House
) -> None:
    arrive(kind="test.foreign", house=house_b)
    text = as_user(alice).get(LIST).content.decode()
    assert "Failed (1)" in text
    assert "test.foreign" not in text


def test_what_a_sender_wrote_stays_text(as_user: AsUser, alice: User, arrive: Arrive, house_a: House) -> None:
    receipt = arrive(house=house_a, origin="<b>o</b>", metadata={"filename": "<i>f</i>", "x": "<u>x</u>"})
    for url in (LIST, address(receipt)):
        text = as_user(alice).get(url).content.decode()
        assert not [tag for tag in ("<b>o", "<i>f", "<u>x") if tag in text]


def test_an_empty_inbox_says_what_it_is_for(as_user: AsUser, alice: User) -> None:
    assert "shows here as it came" in as_user(alice).get(LIST).content.decode()


def test_nothing_is_added_changed_or_deleted(as_user: AsUser, admin: User, own: Receipt) -> None:
    client = as_user(admin)
    assert client.get(reverse("admin:inbox_receipt_add")).status_code == 403
    assert client.post(address(own), {"state": "parsed"}).status_code == 403
    assert client.post(address(own, "delete"), {"post": "yes"}).status_code == 403


def test_lists_read_no_bodies_and_cost_the_same_however_long(
    as_user: AsUser, alice: User, arrive: Arrive, house_a: House
) -> None:
    client = as_user(alice)

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as asked:
            client.get(LIST)
        return [query["sql"] for query in asked.captured_queries]

    arrive("body", house=house_a)
    short = queries()
    for n in range(25):
        arrive(f"body {n}", house=house_a)
    assert len(queries()) == len(short)
    assert not [sql for sql in short if '"payload"' in sql]


@pytest.mark.browser
def test_a_replay_is_started_in_the_browser(
    open_as: OpenAs, complaints: list[str], alice: User, own: Receipt
) -> None:
    page = open_as(alice, LIST)
    page.get_by_role("link", name="Replay all").click()
    expect(page.get_by_label("Receipts")).to_be_visible()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("Waiting")).to_be_visible()
    assert Job.objects.get().by == alice
    assert complaints == []
