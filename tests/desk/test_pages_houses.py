"""The pages of houses, as everybody who may and may not see them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, State
from apps.devices.models import Device
from apps.devices.mutations import create_device
from apps.houses.models import House, Membership
from apps.readings import store
from apps.readings.models import Source
from tests.people import AsUser, person

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)  # noon in Brussels
NOW_MS = int(NOW.timestamp() * 1000)
KEYS = ["A.Solar", "A.Battery", "A.EV", "A.Load", "A.GridPower", {"name": "A.Charge", "role": "soc"}]


@pytest.fixture(autouse=True)
def _at_noon() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def meter(house_a: House) -> Device:
    return create_device(
        house=house_a, name="egauge", type="egauge", config={"ip": "192.0.2.7", "keys": KEYS}
    )


def report(device: Device, *, at: int = NOW_MS, **values: float) -> None:
    """Store one reading of the fields A.<name>, and what it covers."""
    fields = {f"A.{name}": value for name, value in values.items()} | {"_length": 10_000.0}
    block = store.Block(
        fields=tuple(fields),
        stamps=np.array([at], dtype=np.int64),
        values=np.array([[value] for value in fields.values()]),
    )
    store.append([store.Upload(source_id=device.pk, blocks=(block,))], received_at=NOW)


def page(house: House) -> str:
    return reverse("house", args=[house.pk])


def live(house: House) -> str:
    return reverse("house_live", args=[house.pk])


def text_of(html: str) -> str:
    """What a visitor reads, with single spaces."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


class Inline(HTMLParser):
    """Collects scripts, styles and handlers that a strict content security policy would block."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(tag)
        self.found += [name for name in given if name == "style" or name.startswith("on")]


# ---- Who sees what


def test_the_start_page_is_the_first_house_by_name(
    admin: User, house_b: House, house_a: House, as_user: AsUser
) -> None:
    assert "<h1>House A" in as_user(admin).get("/").content.decode()


def test_everybody_starts_at_their_own_house(charlie: User, house_a: House, as_user: AsUser) -> None:
    assert "<h1>House B" in as_user(charlie).get("/").content.decode()


@pytest.mark.parametrize("who", ["alice", "bob", "ann", "admin"])
def test_members_and_administrators_see_the_house(
    who: str, house_a: House, as_user: AsUser, request: pytest.FixtureRequest
) -> None:
    client = as_user(request.getfixturevalue(who))

    assert client.get(page(house_a)).status_code == 200
    assert client.get(live(house_a)).status_code == 200


def test_a_foreign_house_is_not_found(charlie: User, house_a: House, as_user: AsUser) -> None:
    client = as_user(charlie)

    assert client.get(page(house_a)).status_code == 404
    answer = client.get(live(house_a))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_foreign_house_looks_like_one_that_does_not_exist(
    charlie: User, house_a: House, as_user: AsUser
) -> None:
    client = as_user(charlie)

    foreign, missing = client.get(page(house_a)), client.get("/houses/987654/")
    assert text_of(foreign.content.decode()) == text_of(missing.content.decode())
    assert client.get(live(house_a)).content == client.get("/houses/987654/live/").content


def test_an_absurd_number_is_just_not_found(bob: User, as_user: AsUser) -> None:
    assert as_user(bob).get("/houses/99999999999999999999999999/").status_code == 404


def test_anonymous_visitors_are_sent_to_the_log_in(house_a: House, client: Client) -> None:
    for address in ("/", page(house_a)):
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"{reverse('login')}?next={address}"


def test_an_anonymous_refresh_is_unauthorized(house_a: House, client: Client) -> None:
    answer = client.get(live(house_a))

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_somebody_who_was_deactivated_sees_nothing(bob: User, house_a: House, as_user: AsUser) -> None:
    client = as_user(bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert client.get(page(house_a)).status_code == 302
    assert client.get(live(house_a)).status_code == 401


def test_pages_are_only_read(bob: User, house_a: House, as_user: AsUser) -> None:
    assert as_user(bob).post(page(house_a)).status_code == 405
    assert as_user(bob).post(live(house_a)).status_code == 405


# ---- The frame


def test_operators_are_offered_the_admin_and_homeowners_are_not(
    alice: User, bob: User, as_user: AsUser
) -> None:
    assert reverse("admin:index") in as_user(alice).get("/").content.decode()
    assert reverse("admin:index") not in as_user(bob).get("/").content.decode()


def test_the_chooser_lists_only_ones_own_houses(
    bob: User, house_a: House, house_b: House, as_user: AsUser
) -> None:
    second = House.objects.create(name="annex")
    second.memberships.create(user=bob)

    html = as_user(bob).get(page(house_a)).content.decode()

    assert f'href="{page(second)}"' in html
    assert f'href="{page(house_b)}"' not in html


def test_with_one_house_there_is_nothing_to_choose(bob: User, as_user: AsUser) -> None:
    assert 'aria-label="Houses"' not in as_user(bob).get("/").content.decode()


class TestManyHouses:
    """More of them than a menu holds."""

    @pytest.fixture(autouse=True)
    def _mills(self, bob: User, house_b: House) -> None:
        made = House.objects.bulk_create(
            House(name=f"mill-{number:03}", label=f"Mill {number}") for number in range(120)
        )
        Membership.objects.bulk_create(Membership(house=house, user=bob) for house in made)

    def test_the_menu_holds_twenty_and_leads_to_the_rest(self, bob: User, as_user: AsUser) -> None:
        html = as_user(bob).get("/").content.decode()
        assert ("Mill 18" in html, "Mill 19" in html) == (True, False)
        assert 'href="/houses/"' in html

    def test_the_list_goes_page_by_page(self, bob: User, as_user: AsUser) -> None:
        client = as_user(bob)
        first, second = (text_of(client.get(f"/houses/?page={n}").content.decode()) for n in (1, 2))
        assert ("Mill 98" in first, "Mill 99 " in first, "Page 1 of 2" in first) == (True, False, True)
        assert "Mill 119" in second
        assert "House B" not in first + second

    @pytest.mark.parametrize(
        ("query", "expected"),
        [("ILL 77", "Mill 77"), ("mill-077", "Mill 77"), ("house-b", "No house of yours"), ("\0", "Mill 1")],
    )
    def test_it_is_searched_by_name_and_label(
        self, bob: User, as_user: AsUser, query: str, expected: str
    ) -> None:
        assert expected in text_of(as_user(bob).get("/houses/", {"q": query}).content.decode())

    @pytest.mark.parametrize("page", ["0", "x", "99999999999999999999", ""])
    def test_a_page_that_is_not_there_is_the_nearest(self, bob: User, as_user: AsUser, page: str) -> None:
        assert as_user(bob).get("/houses/", {"page": page}).status_code == 200


@pytest.mark.django_db
def test_who_has_no_house_is_told_so_in_the_list(as_user: AsUser) -> None:
    html = as_user(person("nora", Role.HOMEOWNER)).get("/houses/").content.decode()
    assert "You belong to no house so far" in html


def test_logging_out_is_a_post(bob: User, as_user: AsUser) -> None:
    html = as_user(bob).get("/").content.decode()

    assert f'<form method="post" action="{reverse("logout")}">' in html


def test_no_page_has_inline_scripts_styles_or_handlers(
    bob: User, meter: Device, house_a: House, as_user: AsUser, client: Client
) -> None:
    report(meter, Solar=1.0)
    for html in (
        as_user(bob).get(page(house_a)).content.decode(),
        as_user(bob).get("/houses/987654/").content.decode(),
        as_user(person("nora", Role.HOMEOWNER)).get("/").content.decode(),
        client.get(reverse("login")).content.decode(),
    ):
        assert Inline(html).found == []


def test_the_policy_allows_no_inline_script_and_no_eval(bob: User, as_user: AsUser) -> None:
    policy = as_user(bob).get("/").headers["Content-Security-Policy"]
    (scripts,) = [part for part in policy.split("; ") if part.startswith("script-src")]

    assert scripts == "script-src 'self'"


# ---- A house's page


def test_the_page_names_the_house_its_zone_and_its_local_time(
    bob: User, house_a: House, as_user: AsUser
) -> None:
    text = text_of(as_user(bob).get(page(house_a)).content.decode())

    assert "House A Mon 1 Jun, 12:00 Europe/Brussels" in text


def test_cards_show_powers_directions_and_ages(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    report(meter, at=NOW_MS - 4_000, Solar=3.2, Battery=-1.5, EV=0.0, Load=-0.9, GridPower=0.8, Charge=64.0)

    text = text_of(as_user(bob).get(page(house_a)).content.decode())

    assert "Solar 3.20 kW generating 4 s ago" in text
    assert "Battery 1.50 kW charging State of charge 64 % 4 s ago" in text
    assert "EV 0.00 kW idle 4 s ago" in text
    assert "Load 0.90 kW consuming 4 s ago" in text
    assert "Grid 0.80 kW exporting 4 s ago" in text


def test_a_silent_device_is_called_what_people_call_it(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    config = {"ip": "192.0.2.8", "keys": ["A.Solar"]}
    create_device(house=house_a, name="egauge2", type="egauge", label="Barn meter", config=config)
    report(meter, Solar=3.2)

    assert "Nothing from Barn meter" in text_of(as_user(bob).get(page(house_a)).content.decode())


def test_before_the_first_reading_cards_say_so(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    text = text_of(as_user(bob).get(page(house_a)).content.decode())

    assert "Solar – kW No reading yet" in text


def test_until_the_first_reading_operators_are_told_to_start_the_agent(
    bob: User, alice: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    operators, owners = (text_of(as_user(who).get("/").content.decode()) for who in (alice, bob))
    assert "Start the agent" in operators
    assert "No reading has arrived yet" in owners
    assert "agent" not in owners

    report(meter, Solar=1.0)
    assert "No reading has arrived yet" not in as_user(alice).get("/").content.decode()


def test_the_name_for_commands_is_not_for_homeowners(
    bob: User, alice: User, house_a: House, as_user: AsUser
) -> None:
    name = '<span class="mono">house-a</span>'
    assert name in as_user(alice).get("/").content.decode()
    assert name not in as_user(bob).get("/").content.decode()


def test_a_house_that_measures_nothing_offers_operators_a_device(
    alice: User, bob: User, house_a: House, as_user: AsUser
) -> None:
    add = f"{reverse('admin:devices_device_add')}?house={house_a.pk}"
    assert f'href="{add}"' in as_user(alice).get("/").content.decode()
    assert "Its operator can add one" in as_user(bob).get("/").content.decode()


def test_a_disabled_house_says_so(bob: User, house_a: House, as_user: AsUser) -> None:
    assert "disabled" not in as_user(bob).get(page(house_a)).content.decode()
    House.objects.filter(pk=house_a.pk).update(enabled=False)

    assert "This house is disabled" in as_user(bob).get(page(house_a)).content.decode()


@pytest.mark.django_db
def test_without_a_house_an_operator_may_add_one(as_user: AsUser) -> None:
    html = as_user(person("olive", Role.OPERATOR)).get("/").content.decode()

    assert reverse("admin:houses_house_add") in html


@pytest.mark.django_db
def test_without_a_house_a_homeowner_is_told_whom_to_ask(as_user: AsUser) -> None:
    html = as_user(person("nora", Role.HOMEOWNER)).get("/").content.decode()

    assert "Ask the operator" in html
    assert reverse("admin:houses_house_add") not in html


def test_names_are_escaped(bob: User, house_a: House, as_user: AsUser) -> None:
    House.objects.filter(pk=house_a.pk).update(label="<script>alert(1)</script>", description="<b>x</b>")

    html = as_user(bob).get(page(house_a)).content.decode()

    assert "<script>alert" not in html
    assert "<b>x</b>" not in html


def test_more_devices_mean_no_more_queries(
    bob: User, house_a: House, as_user: AsUser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(4):
        config = {"ip": "192.0.2.7", "keys": KEYS}
        report(create_device(house=house_a, name=f"meter{number}", type="egauge", config=config), Solar=1.0)
    client = as_user(bob)

    # Session, person, house, alerts, devices, series, newest values, voltages, meters, items, menu.
    # Charging sessions, and where there are none whether there is a charger.
    with django_assert_max_num_queries(15):
        client.get(page(house_a))


# ---- The refresh


def test_the_refresh_carries_cards_chart_and_time(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    report(meter, Solar=3.2)

    answer = as_user(bob).get(live(house_a)).json()

    assert answer["now"] == NOW_MS
    assert [card["role"] for card in answer["cards"]] == ["solar", "battery", "ev", "load", "grid"]
    assert answer["cards"][0]["value"] == 3.2
    assert answer["chart"]["data"][0]["meta"] == {"role": "solar"}


def test_an_unchanged_house_answers_304_without_reading_its_history(
    bob: User,
    meter: Device,
    house_a: House,
    as_user: AsUser,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    report(meter, Solar=3.2)
    client = as_user(bob)
    etag = client.get(live(house_a)).headers["ETag"]

    # Session, person, house, devices, series, newest values, newest upload.
    with django_assert_max_num_queries(9):
        again = client.get(live(house_a), headers={"If-None-Match": etag})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == etag


def test_while_nothing_happens_the_refresh_asks_next_to_nothing(
    bob: User,
    meter: Device,
    house_a: House,
    as_user: AsUser,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    report(meter, Solar=3.2)
    client = as_user(bob)
    etag = client.get(live(house_a)).headers["ETag"]
    client.get(live(house_a), headers={"If-None-Match": etag})

    # Session, person, house, and whether anything happened: at its devices, with its alerts, to its meters.
    with django_assert_num_queries(6):
        assert client.get(live(house_a), headers={"If-None-Match": etag}).status_code == 304


def test_who_looks_second_gets_what_was_worked_out_for_the_first(
    bob: User,
    meter: Device,
    house_a: House,
    as_user: AsUser,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    report(meter, Solar=3.2)
    first = as_user(bob).get(live(house_a))
    neighbour = as_user(person("nora", Role.HOMEOWNER, house_a))
    with django_assert_num_queries(6), time_machine.travel((NOW_MS + 5_000) / 1000, tick=False):
        second = neighbour.get(live(house_a))
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.json() == first.json() | {"now": NOW_MS + 5_000}


def test_what_roles_are_told_is_kept_apart(
    alice: User, bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    report(meter, Solar=3.2)
    alert = {"kind": Kind.WARNING, "evidence": {"text": "secret of the trade"}}
    Alert.objects.create(house=house_a, source=meter.source, opened_at=NOW, **alert)
    operators, owners = (as_user(who).get(live(house_a)).json()["alerts"]["open"] for who in (alice, bob))
    assert operators != owners


def test_an_alert_that_opens_is_seen_or_clears_is_a_new_answer(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    report(meter, Solar=3.2)
    client = as_user(bob)
    tags = [client.get(live(house_a)).headers["ETag"]]
    alert = Alert.objects.create(house=house_a, source=meter.source, kind=Kind.SILENT, opened_at=NOW)
    for state in (State.OPEN, State.ACKNOWLEDGED, State.CLEARED):
        times = {State.ACKNOWLEDGED: "acknowledged_at", State.CLEARED: "cleared_at"}
        changes = {times[state]: NOW} if state in times else {}
        Alert.objects.filter(pk=alert.pk).update(state=state, **changes)
        tags.append(client.get(live(house_a)).headers["ETag"])
    assert len(set(tags)) == 4


def test_a_new_device_is_a_new_answer_at_once_and_a_new_label_within_a_minute(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    client = as_user(bob)
    etag = client.get(live(house_a)).headers["ETag"]
    config = {"ip": "192.0.2.8", "keys": ["A.Solar"]}
    create_device(house=house_a, name="second", type="egauge", config=config)
    anew = client.get(live(house_a), headers={"If-None-Match": etag})
    assert anew.status_code == 200

    Source.objects.filter(name="second").update(label="Barn")
    with time_machine.travel((NOW_MS + 61_000) / 1000, tick=False):
        later = client.get(live(house_a), headers={"If-None-Match": anew.headers["ETag"]})
    assert "Barn" in later.content.decode()


def test_a_new_reading_is_a_new_answer(bob: User, meter: Device, house_a: House, as_user: AsUser) -> None:
    report(meter, at=NOW_MS - 5_000, Solar=3.2)
    client = as_user(bob)
    etag = client.get(live(house_a)).headers["ETag"]
    report(meter, Solar=3.3)

    again = client.get(live(house_a), headers={"If-None-Match": etag})

    assert again.status_code == 200
    assert again.json()["cards"][0]["value"] == 3.3


def test_a_late_reading_is_a_new_answer_too(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    report(meter, Solar=3.2)
    client = as_user(bob)
    etag = client.get(live(house_a)).headers["ETag"]
    report(meter, at=NOW_MS - 3_600_000, Solar=1.0)

    assert client.get(live(house_a), headers={"If-None-Match": etag}).status_code == 200


def test_a_card_that_goes_stale_is_a_new_answer(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    report(meter, Solar=3.2)
    client = as_user(bob)
    etag = client.get(live(house_a)).headers["ETag"]
    with time_machine.travel((NOW_MS + 90_000) / 1000, tick=False):
        again = client.get(live(house_a), headers={"If-None-Match": etag})

    assert again.json()["cards"][0]["state"] == "stale"


def test_the_next_local_day_is_a_new_answer(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    report(meter, Solar=3.2)
    client = as_user(bob)
    with time_machine.travel(datetime(2026, 6, 1, 21, 59, tzinfo=UTC), tick=False):
        etag = client.get(live(house_a)).headers["ETag"]
    with time_machine.travel(datetime(2026, 6, 1, 22, 0, tzinfo=UTC), tick=False):
        again = client.get(live(house_a), headers={"If-None-Match": etag})

    assert again.status_code == 200


def test_answers_are_not_for_shared_caches(bob: User, meter: Device, house_a: House, as_user: AsUser) -> None:
    headers = as_user(bob).get(live(house_a)).headers

    assert headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in headers["Vary"]


def test_a_compressed_answer_is_told_unchanged_as_well(
    bob: User, meter: Device, house_a: House, as_user: AsUser
) -> None:
    report(meter, Solar=3.2)
    client = as_user(bob)
    answer = client.get(live(house_a), headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"

    again = client.get(
        live(house_a), headers={"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]}
    )

    assert again.status_code == 304


def test_a_house_without_devices_refreshes_too(bob: User, house_a: House, as_user: AsUser) -> None:
    assert as_user(bob).get(live(house_a)).json()["cards"] == []


def test_a_house_that_meters_measure_is_not_asked_for_devices(
    house_a: House, alice: User, as_user: AsUser
) -> None:
    Source.objects.create(house=house_a, namespace="meter", name="utility")

    assert "No power to show yet" not in as_user(alice).get(f"/houses/{house_a.pk}/").text
