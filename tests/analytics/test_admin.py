"""Analytics items in the admin: their editor, what saving brings about, and who sees what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.analytics.models import AnalyticsItem
from apps.analytics.mutations import create_item
from apps.devices.models import Device
from apps.houses.models import House
from apps.jobs.models import Job
from apps.readings import store
from apps.readings.models import Series, Source
from tests.analytics.conftest import MakeItem
from tests.jobs.conftest import queue as queue
from tests.people import AsUser
from tests.readings.building import put

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]

LIST, ADD, CHECK, NAMES, PREVIEW = (
    reverse(f"admin:analytics_analyticsitem_{name}")
    for name in ("changelist", "add", "check", "names", "preview")
)
POWER = "status.Pac_total_W"


def page(item: AnalyticsItem, name: str = "change") -> str:
    return reverse(f"admin:analytics_analyticsitem_{name}", args=[item.pk])


def required_page(house: House) -> str:
    return reverse("admin:analytics_analyticsitem_required", args=[house.pk])


@pytest.fixture
def client(alice: User, as_user: AsUser) -> Client:
    """Alice's: the operator of house A."""
    return as_user(alice)


@pytest.fixture
def foreign(house_b: House) -> AnalyticsItem:
    return create_item(house=house_b, name="foreign", formula="7", label="Foreign")


@pytest.fixture
def readings(sonnen: Device) -> None:
    """An hour of the battery, up to now."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    put(sonnen.source, POWER, {now - minute * 60_000: 1500.0 for minute in range(60, -1, -1)})
    for day in {(now - 3_600_000) // store.DAY, now // store.DAY}:
        store.compact(sonnen.source.pk, day)


def filled(item: AnalyticsItem | None = None, **changed: Any) -> dict[str, Any]:
    """What the form sends."""
    names = ["label", "description", "formula", "quantity", "unit", "role"]
    return {name: getattr(item, name, "") for name in names} | changed


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


class TestForm:
    def test_an_item_is_added(self, client: Client, house_a: House, meter: Device, alice: User) -> None:
        sent = filled(house=house_a.pk, name="sun", formula="pos(egauge.A.Solar)", unit="kW", role="solar")
        assert client.post(ADD, sent)["Location"] == LIST
        item = AnalyticsItem.objects.get()
        assert (item.house, item.name, item.formula, item.role) == (house_a, "sun", sent["formula"], "solar")
        assert item.history.get().history_user == alice
        assert LogEntry.objects.get().object_repr == "sun"

    def test_a_wrong_formula_is_told_at_its_field_with_its_column(
        self, client: Client, house_a: House, meter: Device
    ) -> None:
        found = errors(client.post(ADD, filled(house=house_a.pk, name="sun", formula="2*egauge.A.Solr")))
        assert list(found) == ["formula"]
        assert found["formula"][0].startswith("Column 3: This house has no series")

    def test_columns_count_over_line_breaks_as_they_were_typed(
        self, client: Client, house_a: House, meter: Device
    ) -> None:
        found = errors(client.post(ADD, filled(house=house_a.pk, name="x", formula="1\r\n+\r\nnowhere.x")))
        assert found["formula"][0].startswith("Column 5: ")

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"name": "a-b"}, "name"),
            ({"name": "taken"}, "name"),
            ({"role": "king"}, "role"),
            ({"house": 0}, "house"),
        ],
    )
    def test_what_is_wrong_is_told_at_its_field(
        self, client: Client, house_a: House, make: MakeItem, changed: dict[str, Any], field: str
    ) -> None:
        make("taken", "1")
        sent = {**filled(house=house_a.pk, name="sun", formula="1"), **changed}
        assert list(errors(client.post(ADD, sent))) == [field]

    def test_only_visible_houses_are_offered(self, client: Client, house_a: House, house_b: House) -> None:
        offered = client.get(ADD).context["adminform"].form.fields["house"].queryset
        assert list(offered) == [house_a]
        found = errors(client.post(ADD, filled(house=house_b.pk, name="x", formula="1")))
        assert list(found) == ["house"]

    def test_an_item_is_changed_but_for_its_name(
        self, client: Client, make: MakeItem, house_b: House
    ) -> None:
        item = make("sun", "egauge.A.Solar")
        sent = filled(item, formula="pos(egauge.A.Solar)", label="Sun", name="moon", house=house_b.pk)
        assert client.post(page(item), sent)["Location"] == LIST
        item.refresh_from_db()
        assert (item.name, item.label, item.version, item.house.name) == ("sun", "Sun", 2, "house-a")

    def test_what_it_reads_and_what_reads_it_is_shown_with_links(
        self, client: Client, make: MakeItem
    ) -> None:
        item = make("battery", f"sonnen.{POWER}/1000")
        above = make("both", "analytics.battery + egauge.A.Solar")
        series = Series.objects.get(field=POWER)
        text = client.get(page(item)).content.decode()
        assert reverse("admin:readings_series_change", args=[series.pk]) in text
        assert page(above) in text
        assert page(item) in client.get(page(above)).content.decode()

    def test_a_formula_that_no_longer_works_is_told(self, client: Client, make: MakeItem) -> None:
        item = make("battery", f"sonnen.{POWER}/1000")
        Series.objects.filter(field=POWER).delete()
        assert "This formula does not work as things are: Column 1" in client.get(page(item)).content.decode()


@pytest.mark.usefixtures("readings")
class TestConsequences:
    @pytest.fixture
    def kept(self, make: MakeItem) -> AnalyticsItem:
        make("battery", f"sonnen.{POWER}/1000", aggregate=True)
        make("charging", "-neg(analytics.battery)", aggregate=True)
        return AnalyticsItem.objects.get(name="battery")

    def test_they_are_shown_before_anything_is_saved(self, client: Client, kept: AnalyticsItem) -> None:
        answer = client.post(page(kept), filled(kept, formula=f"2*sonnen.{POWER}", label="New"))
        assert answer.status_code == 200
        shown = [(one.item.name, one.days >= 1) for one in answer.context["consequences"]]
        assert shown == [("battery", True), ("charging", True)]
        kept.refresh_from_db()
        assert (kept.label, kept.version) == ("", 1)

    def test_confirmed_it_is_saved_with_all_that_was_typed(self, client: Client, kept: AnalyticsItem) -> None:
        first = client.post(page(kept), filled(kept, formula=f"2*sonnen.{POWER}", label="New"))
        sent = dict(first.context["fields"])
        assert client.post(page(kept), {**sent, "_confirmed": "1"})["Location"] == LIST
        kept.refresh_from_db()
        assert (kept.formula, kept.label, kept.version) == (f"2*sonnen.{POWER}", "New", 2)
        assert {job.args["item"] for job in Job.objects.unfinished()} >= {kept.pk}

    def test_what_computes_nothing_is_saved_at_once(
        self, client: Client, kept: AnalyticsItem, make: MakeItem
    ) -> None:
        assert client.post(page(kept), filled(kept, label="New"))["Location"] == LIST
        free = make("free", "1")
        assert client.post(page(free), filled(free, formula="2"))["Location"] == LIST

    def test_a_wrong_formula_is_told_first(self, client: Client, kept: AnalyticsItem) -> None:
        assert list(errors(client.post(page(kept), filled(kept, formula="1 +")))) == ["formula"]


class TestEditor:
    def ask(self, client: Client, house: House, formula: str, **more: Any) -> Any:
        answer = client.post(CHECK, {"house": house.pk, "name": "it", "formula": formula, **more})
        assert answer.status_code == 200
        return answer.json()

    def test_a_mistake_is_told_with_its_place(self, client: Client, house_a: House, meter: Device) -> None:
        assert self.ask(client, house_a, "1 + pos(egauge.A.Solr) * 2")["error"] == {
            "column": 9,
            "length": 13,
            "message": "This house has no series “egauge.A.Solr”. Did you mean egauge.A.Solar?",
        }

    def test_what_a_formula_gives_is_told(self, client: Client, house_a: House, make: MakeItem) -> None:
        make("battery", f"sonnen.{POWER}/1000")
        found = self.ask(client, house_a, "analytics.battery + egauge.A.Solar")
        assert found == {
            "error": None,
            "result": "power in kW",
            "quantity": "power",
            "unit": "kW",
            "inputs": [f"sonnen.{POWER}", "egauge.A.Solar"],
            "warnings": [],
            "refusal": "",
        }
        assert self.ask(client, house_a, f"egauge.A.Solar + sonnen.{POWER}")["warnings"]
        assert "events" in self.ask(client, house_a, "events.::X")["refusal"]

    def test_an_item_does_not_meet_itself_as_it_was_saved(
        self, client: Client, house_a: House, make: MakeItem
    ) -> None:
        item = make("a", "1")
        make("b", "analytics.a")
        found = self.ask(client, house_a, "analytics.b", item=item.pk)
        assert "circle" in found["error"]["message"]
        assert self.ask(client, house_a, "2", item=item.pk)["error"] is None

    def test_the_names_of_the_house_are_offered(
        self, client: Client, house_a: House, house_b: House, make: MakeItem
    ) -> None:
        make("battery", f"sonnen.{POWER}/1000", label="Battery", unit="kW")
        Source.objects.create(house=house_b, name="secret").series.create(field="x")
        names = {
            one["insert"]: one["detail"] for one in client.get(NAMES, {"house": house_a.pk}).json()["names"]
        }
        assert names["egauge.A.Solar"] == "power · kW"
        assert names["analytics.battery"] == "Battery · kW"
        assert {"avg(", "pos(", "PI", "events.::EV_END_CHARGING.energy"} <= names.keys()
        assert not any("secret" in name or "_length" in name for name in names)

    def test_a_preview_draws_what_the_formula_gave(
        self, client: Client, house_a: House, make: MakeItem, readings: None
    ) -> None:
        sent = {"house": house_a.pk, "name": "", "formula": f"sonnen.{POWER}/1000", "span": "day"}
        shown = client.post(PREVIEW, sent).json()
        (trace,) = shown["figure"]["data"]
        assert {value for value in trace["y"] if value is not None} == {1.5}
        assert None in trace["y"]
        assert shown["summary"] == "The last day: from 1.5 to 1.5 kW"
        assert client.post(PREVIEW, {**sent, "span": "week"}).json()["summary"].startswith("The last week")

    @pytest.mark.parametrize(
        ("formula", "note"),
        [
            ("egauge.A.Solar", "gave nothing in the last day"),
            ("2*3", "a number that never changes"),
            ("nowhere.x", "Column 1: This house has no series"),
        ],
    )
    def test_a_preview_without_values_says_why(
        self, client: Client, house_a: House, make: MakeItem, formula: str, note: str
    ) -> None:
        shown = client.post(PREVIEW, {"house": house_a.pk, "formula": formula, "span": "day"}).json()
        assert shown["figure"] is None
        assert note in shown["note"]

    def test_a_formula_from_a_stranger_does_no_harm(self, client: Client, house_a: House) -> None:
        for formula in ("(" * 10_000, "9^9^9", "1" * 100_000, "\x00", ""):
            assert self.ask(client, house_a, formula)["error"]["message"]


class TestRequired:
    def test_what_will_be_made_is_shown_and_made_by_a_post(
        self, client: Client, house_a: House, sonnen: Device, alice: User
    ) -> None:
        text = client.get(required_page(house_a)).content.decode()
        assert "Create 11 items" in text
        assert f"pos(sonnen.{POWER}/1000)" in text
        assert "No EV charger tells of its sessions." in text
        assert not AnalyticsItem.objects.exists()

    def test_they_are_made_once(self, client: Client, house_a: House, sonnen: Device, meter: Device) -> None:
        assert client.post(required_page(house_a))["Location"] == f"{LIST}?house__id__exact={house_a.pk}"
        count = AnalyticsItem.objects.count()
        assert count > 10
        assert LogEntry.objects.count() == count
        client.post(required_page(house_a))
        assert AnalyticsItem.objects.count() == count

    def test_the_list_and_the_house_say_what_is_lacking(
        self, client: Client, house_a: House, house_b: House, meter: Device
    ) -> None:
        house = reverse("admin:houses_house_change", args=[house_a.pk])
        for address in (LIST, f"{LIST}?house__id__exact={house_a.pk}", house):
            text = client.get(address).content.decode()
            assert "House A lacks 16 of the 16 items" in text
            assert required_page(house_a) in text
        client.post(required_page(house_a))
        text = client.get(LIST).content.decode()
        assert "soc" in text.split("items that dashboards and reports read: ")[1].split("\n")[0]

    def test_a_house_without_devices_lacks_nothing_yet(self, client: Client, house_a: House) -> None:
        assert "lacks" not in client.get(LIST).content.decode()


class TestList:
    def test_it_shows_formula_state_and_newest_value(
        self, client: Client, make: MakeItem, readings: None
    ) -> None:
        make("battery", f"-sonnen.{POWER}/1000", unit="kW")
        make("mean", f"avg(sonnen.{POWER}, 60000)")
        make("kept", f"sonnen.{POWER}", unit="W", aggregate=True)
        text = client.get(LIST).content.decode()
        assert "−1.5 kW" in text
        assert "1500 W" in text
        assert f"-sonnen.{POWER}/1000" in text
        assert "computing" in text

    def test_rows_cost_no_queries_however_many_houses(
        self, admin: User, as_user: AsUser, make: MakeItem, readings: None
    ) -> None:
        client = as_user(admin)
        counts = []
        for number in range(2):
            for more in range(1 + 12 * number):
                make(f"i{number}_{more}", f"sonnen.{POWER}/1000", aggregate=more % 2 == 0)
                other = House.objects.create(name=f"other-{number}-{more}")
                create_item(house=other, name="x", formula="7")
            with CaptureQueriesContext(connection) as captured:
                assert client.get(LIST).status_code == 200
            counts.append(len(captured))
        assert counts[0] == counts[1]


class TestActions:
    def test_aggregation_is_switched_by_confirmed_posts(
        self, client: Client, make: MakeItem, readings: None, alice: User
    ) -> None:
        item = make("battery", f"sonnen.{POWER}/1000")
        assert client.get(page(item, "aggregate")).status_code == 200
        item.refresh_from_db()
        assert not item.aggregated
        client.post(page(item, "aggregate"), {"_form_submitted": "true"})
        item.refresh_from_db()
        assert item.aggregated
        assert Job.objects.get().by == alice
        state = client.get(page(item, "state")).content.decode()
        assert "0 of " in state
        assert reverse("admin:jobs_job_change", args=[Job.objects.get().pk]) in state
        client.post(page(item, "stop_aggregating"), {"_form_submitted": "true"})
        item.refresh_from_db()
        assert not item.aggregated

    def test_a_job_of_somebody_else_is_not_linked(
        self, client: Client, make: MakeItem, readings: None, admin: User
    ) -> None:
        item = make("battery", f"sonnen.{POWER}/1000", aggregate=True, by=admin)
        state = client.get(page(item, "state")).content.decode()
        assert "0 of " in state
        assert "/admin/jobs/" not in state

    def test_what_cannot_be_kept_is_refused_in_words(self, client: Client, make: MakeItem) -> None:
        item = make("count", "events.::X")
        answer = client.post(page(item, "aggregate"), {"_form_submitted": "true"}, follow=True)
        assert "It reads events" in answer.content.decode()

    def test_deleting_asks_for_the_name_and_minds_those_who_use_it(
        self, client: Client, make: MakeItem
    ) -> None:
        item = make("a", "1")
        above = make("b", "analytics.a")
        for name in ("b", "a"):
            client.post(page(item, "erase"), {"_form_submitted": "true", "name": name})
            assert AnalyticsItem.objects.filter(pk=item.pk).exists()
        for one in (above, item):
            client.post(page(one, "erase"), {"_form_submitted": "true", "name": one.name})
        assert not AnalyticsItem.objects.exists()

    def test_only_what_makes_sense_is_offered(self, client: Client, make: MakeItem, readings: None) -> None:
        item = make("battery", f"sonnen.{POWER}/1000")
        assert offered(client, item) == {"aggregate", "erase"}
        client.post(page(item, "aggregate"), {"_form_submitted": "true"})
        assert offered(client, item) == {"stop_aggregating", "erase"}
        Job.objects.update(state="cancelled")
        assert offered(client, item) == {"resume", "stop_aggregating", "erase"}
        client.post(page(item, "stop_aggregating"), {"_form_submitted": "true"})
        assert offered(client, item) == {"erase"}


def offered(client: Client, item: AnalyticsItem) -> set[str]:
    text = client.get(page(item)).content.decode()
    return {name for name in ("aggregate", "resume", "stop_aggregating", "erase") if page(item, name) in text}


class TestAccess:
    def test_items_of_other_houses_do_not_exist(
        self, client: Client, foreign: AnalyticsItem, house_b: House
    ) -> None:
        for name in ("change", "history", "aggregate", "resume", "stop_aggregating", "erase", "state"):
            assert client.get(page(foreign, name)).status_code == 404, name
            assert client.post(page(foreign, name), {"_form_submitted": "true"}).status_code == 404, name
        for method in (client.get, client.post):
            assert method(required_page(house_b)).status_code == 404
        for address in (CHECK, PREVIEW):
            for sent in ({"house": house_b.pk}, {"item": foreign.pk}, {"house": "x"}, {}):
                assert client.post(address, {"formula": "1", **sent}).status_code == 404
        assert client.get(NAMES, {"house": house_b.pk}).status_code == 404
        assert "foreign" not in client.get(LIST).content.decode().lower()

    def test_homeowners_and_analysts_have_no_admin(
        self, bob: User, ann: User, charlie: User, as_user: AsUser, make: MakeItem, house_a: House
    ) -> None:
        item = make("sun", "1")
        addresses = [
            LIST,
            ADD,
            page(item),
            page(item, "aggregate"),
            page(item, "state"),
            required_page(house_a),
        ]
        for person in (bob, ann, charlie):
            own = as_user(person)
            assert {own.get(address).status_code for address in (*addresses, NAMES)} == {403}
            assert {
                own.post(address, {"house": house_a.pk}).status_code
                for address in (*addresses, CHECK, PREVIEW)
            } == {403}

    def test_a_post_needs_the_token_against_forgery(
        self, alice: User, make: MakeItem, house_a: House
    ) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
        item = make("sun", "1")
        for address in (page(item, "aggregate"), required_page(house_a), CHECK, PREVIEW):
            assert strict.post(address, {"_form_submitted": "true"}).status_code == 403
