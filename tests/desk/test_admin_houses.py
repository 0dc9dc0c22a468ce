"""Houses in the admin: adding and editing them, their credentials and members."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.devices.mutations import create_device
from apps.houses import credentials
from apps.houses.credentials import verify
from apps.houses.models import EdgeCredential, House
from tests.people import AsUser

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SENT = {"_form_submitted": "on"}  # what an action's dialog posts


@pytest.fixture(autouse=True)
def _no_memory() -> Iterator[None]:
    credentials.forget()
    yield
    credentials.forget()


@pytest.fixture
def desk(alice: User, as_user: AsUser) -> Client:
    """Alice's browser."""
    return as_user(alice)


def page(house: House) -> str:
    return reverse("admin:houses_house_change", args=[house.pk])


def action(house: House, name: str) -> str:
    return reverse(f"admin:houses_house_{name}", args=[house.pk])


def inlines(**changes: str) -> dict[str, str]:
    """The management forms that the page posts along."""
    counts = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"}
    prefixes = ("credentials", "memberships")
    return {f"{prefix}-{name}": value for prefix in prefixes for name, value in counts.items()} | changes


def shown(response: object) -> dict[str, str] | None:
    """The bundle on the page, if any."""
    text = response.content.decode()  # type: ignore[attr-defined]
    found = re.search(r'<pre id="credential-text"[^>]*>(.*?)</pre>', text, re.DOTALL)
    bundle: dict[str, str] | None = json.loads(unescape(found[1])) if found else None
    return bundle


def add(client: Client, **fields: str) -> House:
    response = client.post(
        reverse("admin:houses_house_add"), {"name": "mill", "time_zone": "Europe/Paris", **fields}
    )
    house = House.objects.get(name="mill")
    assert response["Location"] == page(house)
    return house


def test_adding_a_house_leads_to_its_page_with_the_credential(desk: Client, alice: User) -> None:
    house = add(desk, label="The mill", latitude="48.85")
    bundle = shown(desk.get(page(house)))
    assert bundle is not None
    assert set(bundle) == {"house", "url", "key"}
    assert verify(bundle["key"], now=NOW) == house
    assert (house.label, house.latitude, house.time_zone) == ("The mill", 48.85, "Europe/Paris")


def test_an_operator_is_a_member_of_the_house_they_add(desk: Client, alice: User) -> None:
    assert add(desk) in House.objects.visible_to(alice)
    assert House.objects.get(name="mill").history.latest().history_user == alice


def test_the_credential_is_shown_exactly_once(desk: Client) -> None:
    house = add(desk)
    assert shown(desk.get(page(house)))
    assert shown(desk.get(page(house))) is None


def test_the_page_that_shows_it_is_kept_by_no_cache(desk: Client) -> None:
    house = add(desk)
    assert "no-store" in desk.get(page(house))["Cache-Control"]


def test_who_comes_ten_minutes_late_has_lost_it(desk: Client) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        house = add(desk)
        clock.move_to(NOW + timedelta(seconds=601))
        assert shown(desk.get(page(house))) is None


def test_it_is_not_shown_on_the_page_of_another_house_or_to_another_person(
    desk: Client, house_a: House, admin: User, as_user: AsUser
) -> None:
    house = add(desk)
    assert shown(desk.get(page(house_a))) is None
    assert shown(as_user(admin).get(page(house))) is None
    assert shown(desk.get(page(house)))


def test_the_key_is_nowhere_else(desk: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    house = add(desk)
    before = _everything_stored() + str(dict(desk.session))  # while the session holds it
    bundle = shown(desk.get(page(house)))
    assert bundle is not None
    after = _everything_stored() + str(dict(desk.session)) + caplog.text
    for place in (
        before,
        after,
        desk.get(reverse("admin:houses_house_history", args=[house.pk])).content.decode(),
    ):
        assert bundle["key"] not in place
    assert not [name for name in dict(desk.session) if "credential" in name]


def test_a_new_house_takes_the_browsers_zone_until_somebody_has_chosen(desk: Client, house_a: House) -> None:
    mark = "data-choose-own-zone"
    assert mark in desk.get(reverse("admin:houses_house_add")).content.decode()
    refused = desk.post(reverse("admin:houses_house_add"), {"name": "not a name", "time_zone": "UTC"})
    assert mark not in refused.content.decode()
    assert mark not in desk.get(page(house_a)).content.decode()


def test_a_new_house_is_saved_in_one_way(desk: Client, house_a: House) -> None:
    text = desk.get(reverse("admin:houses_house_add")).content.decode()
    assert 'name="_save"' in text
    assert 'name="_addanother"' not in text
    assert 'name="_continue"' not in text
    assert 'name="_continue"' in desk.get(page(house_a)).content.decode()


def test_its_page_leads_to_its_devices(desk: Client, house_a: House, house_b: House) -> None:
    for house in (house_a, house_b):
        create_device(
            house=house, name="egauge", type="egauge", config={"ip": "192.0.2.7", "keys": ["A.Load"]}
        )
    text = desk.get(page(house_a)).content.decode()
    devices = f"{reverse('admin:devices_device_changelist')}?source__house__id__exact={house_a.pk}"
    assert f'<a href="{devices}">1 device</a>' in text
    assert f"{reverse('admin:devices_device_add')}?house={house_a.pk}" in text
    assert desk.get(devices).content.decode().count('class="field-title') == 1


def test_a_credential_never_used_says_so(desk: Client, house_a: House) -> None:
    credentials.issue(house=house_a)
    assert "never" in desk.get(page(house_a)).content.decode()
    EdgeCredential.objects.update(last_used_at=NOW)
    assert "1 Jun 2026, 12:00 UTC" in desk.get(page(house_a)).content.decode()


def test_the_history_says_who_changed_what(desk: Client, house_a: House, alice: User) -> None:
    house_a.save()
    edit = {"label": "The mill", "description": "", "time_zone": house_a.time_zone, **inlines()}
    desk.post(page(house_a), edit)
    text = desk.get(reverse("admin:houses_house_history", args=[house_a.pk])).content.decode()
    assert f"<td>{alice}</td>" in text
    assert "<strong>Label</strong>: House A → The mill" in text
    assert "<td>the server</td>" in text


def test_rotating_asks_first(desk: Client, house_a: House) -> None:
    dialog = desk.get(action(house_a, "rotate_credentials")).content.decode()
    assert "revokes all others" in dialog
    assert "csrfmiddlewaretoken" in dialog
    assert not EdgeCredential.objects.exists()


def test_rotating_shows_a_new_credential_and_revokes_the_others(
    desk: Client, house_a: House, alice: User
) -> None:
    old = credentials.issue(house=house_a).key
    response = desk.post(action(house_a, "rotate_credentials"), SENT, headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == page(house_a)
    bundle = shown(desk.get(page(house_a)))
    assert bundle is not None
    assert verify(bundle["key"], now=NOW) == house_a
    assert verify(old, now=NOW) is None
    assert EdgeCredential.objects.get(revoked_at=None).created_by == alice


def test_adding_a_credential_leaves_the_others_working(desk: Client, house_a: House) -> None:
    old = credentials.issue(house=house_a).key
    desk.post(action(house_a, "issue_credential"), SENT)
    bundle = shown(desk.get(page(house_a)))
    assert bundle is not None
    assert [verify(key, now=NOW) for key in (old, bundle["key"])] == [house_a, house_a]


def test_revoking_one_leaves_the_others_working(desk: Client, house_a: House, alice: User) -> None:
    keys = [credentials.issue(house=house_a).key for _ in range(2)]
    first = EdgeCredential.objects.get(hint=keys[0][:6])
    link = f"{action(house_a, 'revoke_credential')}?credential={first.pk}"
    assert re.search(rf'<option value="{first.pk}" selected', desk.get(link).content.decode())
    desk.post(link, {**SENT, "credential": first.pk})
    assert [verify(key, now=NOW) for key in keys] == [None, house_a]
    assert f"by {alice}" in desk.get(page(house_a)).content.decode()


def test_a_credential_of_another_house_cannot_be_revoked_through_ones_own(
    desk: Client, house_a: House, house_b: House
) -> None:
    key = credentials.issue(house=house_b).key
    other = EdgeCredential.objects.get()
    desk.post(action(house_a, "revoke_credential"), {**SENT, "credential": other.pk})
    assert verify(key, now=NOW) == house_b


def test_credentials_are_listed_by_hint_and_cannot_be_edited(desk: Client, house_a: House) -> None:
    key = credentials.issue(house=house_a).key
    credential = EdgeCredential.objects.get()
    text = desk.get(page(house_a)).content.decode()
    assert f"{key[:6]}…" in text
    assert key not in text
    posted = inlines(
        **{
            "label": "x",
            "time_zone": "UTC",
            "credentials-TOTAL_FORMS": "1",
            "credentials-INITIAL_FORMS": "1",
        },
        **{
            "credentials-0-id": str(credential.pk),
            "credentials-0-DELETE": "on",
            "credentials-0-hint": "other",
        },
    )
    desk.post(page(house_a), posted)
    credential.refresh_from_db()
    assert credential.hint == key[:6]


@pytest.mark.parametrize("name", ["rotate_credentials", "issue_credential", "disable"])
def test_an_action_takes_a_post_with_a_csrf_token(alice: User, house_a: House, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(action(house_a, name)).status_code == 200
    assert client.post(action(house_a, name), SENT).status_code == 403
    house_a.refresh_from_db()
    assert house_a.enabled
    assert not EdgeCredential.objects.exists()


def test_disabling_and_enabling_offer_themselves_in_turn(desk: Client, house_a: House, alice: User) -> None:
    offered = [action(house_a, name) for name in ("enable", "disable")]
    assert _offers(desk, house_a, offered) == [False, True]
    desk.post(action(house_a, "disable"), SENT)
    assert _offers(desk, house_a, offered) == [True, False]
    house_a.refresh_from_db()
    assert not house_a.enabled
    desk.post(action(house_a, "enable"), SENT)
    house_a.refresh_from_db()
    assert house_a.enabled
    assert [entry.history_user for entry in house_a.history.all()[:2]] == [alice, alice]


def test_the_name_is_there_to_read_and_cannot_be_posted(desk: Client, house_a: House) -> None:
    desk.post(page(house_a), inlines(name="renamed", label="Relabelled", time_zone="Europe/Brussels"))
    house_a.refresh_from_db()
    assert (house_a.name, house_a.label) == ("house-a", "Relabelled")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "the mill", "Use letters, digits"),
        ("name", "house-a", "already exists"),
        ("time_zone", "Mars/Olympus", "is not an IANA time zone"),
        ("latitude", "91", "less than or equal to 90"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(
    desk: Client, field: str, value: str, message: str
) -> None:
    response = desk.post(
        reverse("admin:houses_house_add"), {"name": "mill", "time_zone": "UTC", field: value}
    )
    assert message in str(response.context["adminform"].form.errors[field])
    assert not House.objects.filter(name="mill").exists()


def test_an_edit_is_in_the_history_with_who_made_it(desk: Client, house_a: House, alice: User) -> None:
    desk.post(page(house_a), inlines(label="Relabelled", time_zone="Europe/Brussels"))
    history = desk.get(reverse("admin:houses_house_history", args=[house_a.pk])).content.decode()
    assert "Relabelled" in history
    assert str(alice) in history


def test_history_shows_a_version_and_offers_no_way_back(desk: Client, house_a: House) -> None:
    version = reverse("admin:houses_house_simple_history", args=[house_a.pk, house_a.history.first().pk])
    assert "Revert" not in desk.get(version).content.decode()


class TestMembers:
    """Administrators edit members; operators see them."""

    def row(self, user: User, **changes: str) -> dict[str, str]:
        return (
            inlines(
                label="x",
                time_zone="UTC",
                **{"memberships-TOTAL_FORMS": "1", "memberships-0-user": str(user.pk)},
            )
            | changes
        )

    def test_an_administrator_adds_and_removes(
        self, admin: User, house_a: House, charlie: User, as_user: AsUser
    ) -> None:
        client = as_user(admin)
        client.post(page(house_a), self.row(charlie))
        membership = house_a.memberships.get(user=charlie)
        removal = {
            "memberships-INITIAL_FORMS": "1",
            "memberships-0-id": str(membership.pk),
            "memberships-0-DELETE": "on",
        }
        client.post(page(house_a), self.row(charlie, **removal))
        assert not house_a.memberships.filter(user=charlie).exists()
        for about, whose in ((charlie, "added to house-a"), (house_a, "charlie@example.com added to it")):
            told = [record.history_change_reason for record in about.history.filter(history_user=admin)]
            assert whose in told
            assert whose.replace("added to", "removed from") in told

    def test_an_operator_sees_them_and_cannot_add(
        self, desk: Client, house_a: House, bob: User, charlie: User
    ) -> None:
        assert bob.email in desk.get(page(house_a)).content.decode()
        desk.post(page(house_a), self.row(charlie))
        assert not house_a.memberships.filter(user=charlie).exists()

    def test_an_operator_cannot_look_people_up(self, desk: Client) -> None:
        lookup = "/admin/autocomplete/?app_label=houses&model_name=membership&field_name=user&term=c"
        assert desk.get(lookup).status_code == 403


def _offers(client: Client, house: House, addresses: list[str]) -> list[bool]:
    text = client.get(page(house)).content.decode()
    return [address in text for address in addresses]


def _everything_stored() -> str:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f"SELECT string_agg(t::text, '') FROM {connection.ops.quote_name(table)} t")  # noqa: S608
            rows.append(str(cursor.fetchone()[0]))
    return "".join(rows)
