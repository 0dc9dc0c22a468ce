"""The pages of reports: what they show of a house's readings, to whom, and what can be taken away."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from apps.accounts.models import User
from apps.analytics.reports.kinds import KINDS
from apps.houses.models import House
from tests.analytics.reports.conftest import DAY, MIDNIGHT
from tests.people import AsUser

pytestmark = pytest.mark.usefixtures("at_noon")


def url(house: House, kind: str = "solar") -> str:
    return f"/houses/{house.pk}/reports/{kind}/"


def cards(page: str) -> dict[str, str]:
    found = re.findall(r"<h2>([^<]+)</h2>\s*<p class=\"power-value\">([^<]+)", page)
    return {title: value.strip() for title, value in found}


def figure(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="report-figure" type="application/json">(.*?)</script>', page)
    assert found
    made: dict[str, Any] = json.loads(found[1])
    return made


TWO_DAYS = {"period": "range", "first": "2026-06-01", "last": "2026-06-02"}


def test_a_report_tells_energy_peak_share_and_coverage(metered: House, bob: User, as_user: AsUser) -> None:
    page = as_user(bob).get(url(metered), TWO_DAYS).text

    assert cards(page) == {
        "Generated": "48.0",
        "Peak": "3.00",
        "Self-consumption": "33 %",
        "Coverage": "96 %",
    }


def test_self_sufficiency_is_what_was_not_imported(metered: House, bob: User, as_user: AsUser) -> None:
    shown = cards(as_user(bob).get(url(metered, "load"), TWO_DAYS).text)

    # Over the 46 h that were measured 1 kW was used, for 16 h of them from the sun.
    assert shown["Consumed"] == "46.0"
    assert shown["Self-sufficiency"] == "35 %"


def test_bars_add_up_to_the_total_and_gaps_are_hatched(metered: House, bob: User, as_user: AsUser) -> None:
    bars, line, gaps = figure(as_user(bob).get(url(metered, "load"), TWO_DAYS | {"every": "1h"}).text)["data"]

    assert sum(value for value in bars["y"] if value is not None) == pytest.approx(46)
    assert line["y"][-1] == pytest.approx(46)
    assert gaps["x"] == [MIDNIGHT - 2 * DAY + hour * 3_600_000 for hour in (20, 21)]


def test_the_running_day_counts_as_far_as_it_has_come(metered: House, bob: User, as_user: AsUser) -> None:
    page = (
        as_user(bob).get(url(metered), {"period": "range", "first": "2026-06-03", "last": "2026-06-03"}).text
    )

    assert (cards(page)["Generated"], cards(page)["Coverage"]) == ("12.0", "100 %")


def test_a_csv_holds_exactly_what_the_chart_shows(metered: House, bob: User, as_user: AsUser) -> None:
    asked = TWO_DAYS | {"every": "1d"}
    shown = figure(as_user(bob).get(url(metered), asked).text)["data"]
    answer = as_user(bob).get(url(metered), asked | {"output": "csv"})

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer["Content-Disposition"] == 'attachment; filename="house-a-solar-20260601-20260602.csv"'
    assert [float(row["solar_kWh"]) for row in rows] == shown[0]["y"]
    assert [float(row["running_total_kWh"]) for row in rows] == shown[1]["y"]
    assert [int(row["timestamp_ms"]) for row in rows] == shown[0]["x"]


def test_a_link_shows_the_same_hours_later(metered: House, bob: User, as_user: AsUser, at_noon: Any) -> None:
    page = as_user(bob).get(url(metered), {"period": "24h"}).text
    link = re.search(r'<a href="(\?[^"]+)">Link to this view', page)
    assert link
    at_noon.shift(3 * 86_400)

    later = as_user(bob).get(url(metered) + link[1].replace("&amp;", "&")).text

    assert figure(later)["data"][0]["x"] == figure(page)["data"][0]["x"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"period": "range"}, "Choose the first and the last day."),
        ({"period": "range", "first": "2026-06-02", "last": "2026-06-01"}, "lies before the first"),
        ({"period": "year"}, "year is not one of the available choices"),
        ({"first": "yesterday"}, "Enter a valid date."),
        ({"at": "99999999999999999999"}, "between the year 2000 and now"),
    ],
)
def test_a_question_without_an_answer_says_why(
    metered: House, bob: User, as_user: AsUser, asked: dict[str, str], says: str
) -> None:
    answer = as_user(bob).get(url(metered), asked)

    assert answer.status_code == 400
    assert says in answer.text


def test_bins_that_do_not_fit_are_chosen_anew(metered: House, bob: User, as_user: AsUser) -> None:
    asked = {"period": "range", "first": "2020-01-01", "last": "2026-06-02", "every": "15m"}

    assert len(figure(as_user(bob).get(url(metered), asked).text)["data"][0]["x"]) == 78  # months


def test_a_house_without_items_says_so(house_a: House, bob: User, alice: User, as_user: AsUser) -> None:
    assert "Its operator can add it" in as_user(bob).get(url(house_a)).text
    assert "Open the house in the admin" in as_user(alice).get(url(house_a)).text


@pytest.mark.parametrize("kind", KINDS)
def test_others_do_not_learn_of_a_house(metered: House, charlie: User, as_user: AsUser, kind: str) -> None:
    assert as_user(charlie).get(url(metered, kind)).status_code == 404


def test_an_unknown_report_is_not_found(metered: House, bob: User, as_user: AsUser) -> None:
    assert as_user(bob).get(url(metered, "wind")).status_code == 404
