"""What is around every admin page: the way back, landmarks, and words where a list is empty."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.devices.mutations import create_device
from apps.houses.models import House
from apps.readings.models import Series
from tests.people import AsUser


@pytest.fixture
def desk(admin: User, as_user: AsUser) -> Client:
    return as_user(admin)


def text(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


def heading(page: str) -> str:
    """The page's only heading of the first level."""
    [found] = re.findall(r"<h1>(.*?)</h1>", page)
    return str(found)


def way_back(page: str) -> dict[str, str]:
    """The links before the heading, by their texts."""
    found = re.search(r'<nav aria-label="Way back">(.*?)</nav>', page)
    return {title: url for url, title in re.findall(r'<a href="(.*?)">(.*?)</a>', found[1])} if found else {}


class TestTheTrail:
    def test_a_list_has_nothing_above_it(self, desk: Client) -> None:
        page = text(desk, reverse("admin:houses_house_changelist"))
        assert (heading(page), way_back(page)) == ("Houses", {})

    def test_a_page_that_adds_says_what(self, desk: Client) -> None:
        page = text(desk, reverse("admin:houses_house_add"))
        assert (heading(page), [*way_back(page)]) == ("Add house", ["Houses"])

    def test_an_objects_page_leads_back_to_the_list(self, desk: Client, house_a: House) -> None:
        page = text(desk, reverse("admin:houses_house_change", args=[house_a.pk]))
        assert heading(page) == "House A"
        assert way_back(page) == {"Houses": reverse("admin:houses_house_changelist")}

    def test_its_history_leads_back_to_it(self, desk: Client, house_a: House) -> None:
        page = text(desk, reverse("admin:houses_house_history", args=[house_a.pk]))
        assert heading(page) == "History"
        assert way_back(page)["House A"] == reverse("admin:houses_house_change", args=[house_a.pk])

    def test_an_earlier_version_leads_back_to_the_object(self, desk: Client, house_a: House) -> None:
        version = house_a.history.latest()
        page = text(desk, reverse("admin:houses_house_simple_history", args=[house_a.pk, version.pk]))
        assert heading(page) == "Earlier version"
        assert [*way_back(page)] == ["Houses", "House A"]

    def test_names_keep_their_small_letters(self, desk: Client, house_a: House) -> None:
        create_device(
            house=house_a, name="egauge", type="egauge", config={"ip": "192.0.2.7", "keys": ["A.Load"]}
        )
        page = text(desk, reverse("admin:readings_series_change", args=[Series.objects.get().pk]))
        assert heading(page).startswith("egauge.")

    def test_a_librarys_list_has_the_name_that_the_sidebar_gives_it(self, desk: Client) -> None:
        assert heading(text(desk, reverse("admin:knox_authtoken_changelist"))) == "API tokens"

    def test_the_first_page_is_the_overview(self, desk: Client) -> None:
        assert heading(text(desk, reverse("admin:index"))) == "Overview"


class TestEmptyLists:
    def test_says_that_there_is_none_and_how_to_add_one(self, desk: Client) -> None:
        page = text(desk, reverse("admin:houses_house_changelist"))
        assert "No houses yet" in page
        assert reverse("admin:houses_house_add") in page

    def test_a_search_without_a_result_leads_back_to_all(self, desk: Client, house_a: House) -> None:
        page = text(desk, reverse("admin:houses_house_changelist") + "?q=nowhere")
        assert "No houses match" in page
        assert '<a class="start-button" href="?">Show all</a>' in page


def test_every_page_has_a_main_part_to_skip_to(desk: Client) -> None:
    page = text(desk, reverse("admin:houses_house_changelist"))
    assert page.count("<main") == 1
    assert 'href="#content"' in page
    assert 'id="content" tabindex="-1"' in page
