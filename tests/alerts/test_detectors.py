"""Detectors that other apps register: what they see opens and clears alerts like the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.alerts import detectors
from apps.alerts.evaluation import evaluate
from apps.alerts.kinds import Kind, Subject, Verdict
from apps.alerts.models import Alert, State, Watch
from apps.alerts.words import describe
from apps.houses.models import House
from apps.readings import dependencies
from apps.readings.dependencies import Reach
from apps.readings.models import Namespace, Source
from tests.alerts.conftest import Clock


@pytest.fixture
def verdicts() -> Iterator[list[Verdict]]:
    """What a registered detector says; empty: it mentions nothing."""
    said: list[Verdict] = []
    known = dict(detectors._detectors)

    def look(now: Any) -> Iterator[detectors.Seen]:
        for house in House.objects.all():
            for verdict in said:
                subject = Subject(house.pk, None, Kind.RESIDUAL)
                yield subject, verdict, {"percent": 12.5, "tolerated": 5.0}

    detectors.register("of a test", look)
    yield said
    detectors._detectors.clear()
    detectors._detectors.update(known)


def test_what_a_detector_sees_is_an_alert_until_it_sees_it_no_more(
    clock: Clock, house_a: House, verdicts: list[Verdict]
) -> None:
    verdicts.append(Verdict.FAULTY)
    evaluate(now=clock.now)
    alert = Alert.objects.get()
    assert (alert.kind, alert.state, alert.evidence["percent"]) == (Kind.RESIDUAL, State.OPEN, 12.5)
    verdicts[0] = Verdict.DOUBTFUL
    clock.pass_by(timedelta(minutes=1))
    assert Alert.objects.get().state == State.OPEN
    verdicts.clear()
    clock.pass_by(timedelta(minutes=1))
    assert Alert.objects.get().state == State.CLEARED


def test_a_name_is_registered_once(verdicts: list[Verdict]) -> None:
    with pytest.raises(ValueError, match="registered already"):
        detectors.register("of a test", lambda _: [])


def test_what_is_computed_is_not_watched_for_silence(clock: Clock, house_a: House) -> None:
    measured = Source.objects.create(house=house_a, name="main", namespace=Namespace.METER)
    derived = Source.objects.create(house=house_a, name="derived", namespace=Namespace.METER)
    dependencies.depend(source_id=derived.pk, inputs={measured.pk: Reach(1, 1)})
    evaluate(now=clock.now)
    assert set(Watch.objects.values_list("source", flat=True)) == {measured.pk}


def test_they_say_what_people_can_do_about_it() -> None:
    evidence = {"role": "load", "count": 40, "meters": ["roof", "main"]}
    words = describe(Kind.NEGATIVE, "Load meter", evidence)
    assert words.startswith("Load meter: the load was below zero in 40 intervals")
    assert "Is roof or main wired the other way round? Then swap its polarity" in words
    assert "swap" not in describe(Kind.NEGATIVE, "Load meter", {"role": "load", "count": 9})
    residual = describe(Kind.RESIDUAL, "Residual", {"percent": 12.5, "tolerated": 5.0})
    assert residual == "Residual: the meters leave 12.5 % of a day's load over; 5.0 % are tolerated"
