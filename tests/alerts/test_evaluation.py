"""Every kind of alert opens and clears when it should, with the clock moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from model_bakery import baker

from apps.accounts.models import User
from apps.alerts.evaluation import evaluate
from apps.alerts.kinds import Kind
from apps.alerts.models import Alert, Evaluation, State, Suspicion, Watch
from apps.alerts.mutations import acknowledge
from apps.devices.models import Device, Refusal
from apps.devices.mutations import update_device
from apps.houses.models import House
from apps.houses.mutations import set_enabled
from apps.readings import damage, quarantine, store
from apps.readings.counters import Register, Step, Why
from apps.readings.models import CounterDecision, Latest, Source
from tests.alerts.conftest import MINUTE, NOON, Clock, lasting, meter, report, seen, warn
from tests.readings.threads import at_once

HOUR = 60 * MINUTE
DAY = 24 * HOUR


class TestSilence:
    def test_a_lively_source_is_silent_after_ten_minutes_and_heard_again_after_ten(
        self, clock: Clock, egauge: Device
    ) -> None:
        clock.pass_by(30 * MINUTE, egauge)
        last = clock.now
        clock.pass_by(10 * MINUTE)
        assert lasting() == []
        clock.pass_by(2 * MINUTE)
        [alert] = lasting()
        assert (alert.kind, alert.house, alert.source) == (Kind.SILENT, egauge.source.house, egauge.source)
        assert alert.began_at == last
        clock.pass_by(10 * MINUTE, egauge)
        assert lasting() == [alert]
        back = last + 13 * MINUTE
        clock.pass_by(2 * MINUTE, egauge)
        assert lasting() == []
        alert.refresh_from_db()
        assert (alert.state, alert.cleared_at) == (State.CLEARED, back)

    def test_a_source_that_comes_and_goes_is_one_alert(self, clock: Clock, egauge: Device) -> None:
        clock.pass_by(30 * MINUTE, egauge)
        Watch.objects.update(pauses={str(day): 0 for day in range(6)})
        clock.pass_by(12 * MINUTE)
        for _ in range(5):
            clock.pass_by(2 * MINUTE, egauge)
            clock.pass_by(8 * MINUTE)
        assert Alert.objects.count() == 1
        assert len(lasting()) == 1

    def test_zero_at_night_is_no_silence_and_nothing_stuck(self, clock: Clock, egauge: Device) -> None:
        clock.pass_by(DAY, egauge, step=5 * MINUTE)
        assert Alert.objects.count() == 0
        assert Suspicion.objects.count() == 0

    def test_who_uploads_once_a_day_is_not_silent(self, clock: Clock, egauge: Device) -> None:
        for _ in range(6):
            report(egauge, clock.now - HOUR)
            clock.pass_by(DAY, step=30 * MINUTE)
        assert Alert.objects.count() == 0
        clock.pass_by(13 * HOUR, step=5 * MINUTE)
        assert [alert.kind for alert in lasting()] == [Kind.SILENT]

    @pytest.mark.parametrize(
        "night", [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)]
    )
    def test_the_clocks_change_without_an_alert(self, clock: Clock, egauge: Device, night: datetime) -> None:
        clock.set(night)
        clock.pass_by(6 * HOUR, egauge, step=5 * MINUTE)
        assert Alert.objects.count() == 0

    def test_one_never_heard_of_is_silent_after_a_day(self, clock: Clock, egauge: Device) -> None:
        clock.pass_by(26 * HOUR, step=10 * MINUTE)
        assert lasting() == []
        clock.pass_by(20 * MINUTE, step=MINUTE)
        [alert] = lasting()
        assert alert.evidence["since"] is None
        assert alert.began_at == alert.opened_at

    def test_a_disabled_source_is_not_looked_at_and_its_alert_clears(
        self, clock: Clock, egauge: Device
    ) -> None:
        clock.pass_by(30 * MINUTE, egauge)
        clock.pass_by(15 * MINUTE)
        assert len(lasting()) == 1
        update_device(device=egauge, enabled=False)
        clock.pass_by(12 * MINUTE)
        assert lasting() == []

    def test_a_disabled_house_is_not_looked_at(self, clock: Clock, egauge: Device, house_a: House) -> None:
        clock.pass_by(30 * MINUTE, egauge)
        set_enabled(house=house_a, enabled=False, by=None)
        clock.pass_by(15 * MINUTE)
        assert Alert.objects.count() == 0

    def test_after_a_pause_of_the_server_nobody_is_suspected(self, clock: Clock, egauge: Device) -> None:
        clock.pass_by(30 * MINUTE, egauge)
        clock.pass_by(7 * MINUTE)
        assert Suspicion.objects.count() == 1
        clock.set(clock.now + HOUR)
        evaluate(now=clock.now)
        assert lasting() == []
        clock.pass_by(10 * MINUTE, egauge)
        assert Alert.objects.count() == 0


class TestAgents:
    def test_an_agent_is_offline_after_five_minutes_and_back_after_three(
        self, clock: Clock, house_a: House
    ) -> None:
        seen(house_a, clock.now)
        clock.pass_by(5 * MINUTE)
        assert lasting() == []
        clock.pass_by(MINUTE)
        [alert] = lasting()
        assert (alert.kind, alert.source, alert.began_at) == (Kind.OFFLINE, None, NOON)
        for _ in range(3):
            clock.pass_by(MINUTE)
            seen(house_a, clock.now)
        assert lasting() == [alert]
        clock.pass_by(2 * MINUTE)
        assert lasting() == []

    def test_its_sources_are_silent_for_that_reason_and_need_no_alerts(
        self, clock: Clock, egauge: Device, house_a: House
    ) -> None:
        for _ in range(30):
            seen(house_a, clock.now)
            clock.pass_by(MINUTE, egauge)
        clock.pass_by(3 * HOUR)
        assert [alert.kind for alert in lasting()] == [Kind.OFFLINE]
        for _ in range(12):
            seen(house_a, clock.now)
            clock.pass_by(MINUTE, egauge)
        assert lasting() == []
        assert Alert.objects.count() == 1

    def test_an_agent_never_heard_of_is_not_offline(self, clock: Clock, egauge: Device) -> None:
        clock.pass_by(HOUR, egauge)
        assert Alert.objects.count() == 0

    def say(self, clock: Clock, house: House, minutes: int, **said: int) -> None:
        for _ in range(minutes):
            seen(house, clock.now + MINUTE, **said)
            clock.pass_by(MINUTE)

    def test_a_spool_near_its_bound(self, clock: Clock, house_a: House) -> None:
        self.say(clock, house_a, 5, spool=790, spool_bound=1000)
        assert Suspicion.objects.count() == 0
        self.say(clock, house_a, 3, spool=800, spool_bound=1000)
        [alert] = lasting(Kind.SPOOL)
        assert alert.evidence == {"percent": 80, "bound": 1000}
        self.say(clock, house_a, 10, spool=750, spool_bound=1000)
        assert lasting() == [alert]
        self.say(clock, house_a, 6, spool=600, spool_bound=1000)
        assert lasting() == []

    def test_a_clock_that_is_off(self, clock: Clock, house_a: House) -> None:
        self.say(clock, house_a, 5, offset=30_000)
        assert lasting() == []
        self.say(clock, house_a, 4, offset=-31_000)
        [alert] = lasting(Kind.CLOCK)
        assert alert.evidence == {"offset_s": -31}
        self.say(clock, house_a, 10, offset=-21_000)
        assert lasting() == [alert]
        self.say(clock, house_a, 6, offset=-19_000)
        assert lasting() == []

    def test_one_late_upload_is_no_wrong_clock(self, clock: Clock, house_a: House) -> None:
        for _ in range(5):
            self.say(clock, house_a, 1, offset=-45_000)
            self.say(clock, house_a, 1, offset=0)
        assert Alert.objects.count() == 0

    def test_what_an_agent_said_before_it_fell_silent_stays_as_it_was(
        self, clock: Clock, house_a: House
    ) -> None:
        self.say(clock, house_a, 5, spool=900, spool_bound=1000, offset=60_000)
        clock.pass_by(HOUR)
        assert {alert.kind for alert in lasting()} == {Kind.SPOOL, Kind.CLOCK, Kind.OFFLINE}


class TestStuck:
    def test_a_value_that_stands_still_for_twelve_hours(self, clock: Clock, egauge: Device) -> None:
        def pass_by(hours: int, voltage: float) -> None:
            for _ in range(hours * 12):
                report(egauge, clock.now, L1_Voltage=voltage)
                clock.pass_by(5 * MINUTE, step=5 * MINUTE)

        pass_by(12, 230.0)
        assert lasting() == []
        pass_by(1, 230.0)
        [alert] = lasting()
        assert (alert.kind, alert.key, alert.source) == (Kind.STUCK, "L1_Voltage", egauge.source)
        assert (alert.evidence["value"], alert.began_at) == (230.0, NOON)
        report(egauge, clock.now, L1_Voltage=230.5)
        clock.pass_by(6 * MINUTE, egauge)
        assert lasting() == []


class TestRefusals:
    def refuse(self, house: House, at: datetime, code: str = "too_old", source: Source | None = None) -> None:
        Refusal.objects.update_or_create(
            house=house,
            source=source,
            code=code,
            defaults={"count": 5, "last_at": at},
            create_defaults={"count": 3, "last_at": at, "first_at": at, "name": "egauge"},
        )

    def test_refused_data_is_told_at_once_and_over_an_hour_after_the_last(
        self, clock: Clock, egauge: Device, house_a: House
    ) -> None:
        self.refuse(house_a, clock.now, source=egauge.source)
        evaluate(now=clock.now)
        [alert] = lasting()
        assert (alert.kind, alert.key, alert.source) == (Kind.REFUSED, "too_old", egauge.source)
        assert alert.evidence["count"] == 3
        clock.pass_by(30 * MINUTE, egauge)
        self.refuse(house_a, clock.now, source=egauge.source)
        clock.pass_by(59 * MINUTE, egauge)
        assert [again.evidence["count"] for again in lasting()] == [5]
        clock.pass_by(MINUTE, egauge)
        assert lasting() == []

    def test_who_disables_a_source_wants_its_data_refused(self, clock: Clock, house_a: House) -> None:
        self.refuse(house_a, clock.now, code="disabled_source")
        evaluate(now=clock.now)
        assert lasting() == []


class TestQuarantine:
    def steps(self, clock: Clock, *ages: timedelta) -> list[Step]:
        stamps = [clock.ms - round(age.total_seconds() * 1000) for age in ages]
        return [Step(Register(stamp - 1, 4001.0), Register(stamp, 12.0), Why.LOWER) for stamp in stamps]

    def test_steps_that_wait_are_one_alert_of_their_source_until_all_are_decided_on(
        self, clock: Clock, egauge: Device
    ) -> None:
        register = egauge.source.series.first()
        assert register is not None
        steps = self.steps(clock, 20 * MINUTE, 30 * MINUTE)
        quarantine.record(series_id=register.pk, day=1, steps=steps)
        evaluate(now=clock.now)
        [alert] = lasting()
        assert (alert.kind, alert.source, alert.key) == (Kind.QUARANTINE, egauge.source, "")
        assert (alert.evidence["count"], alert.began_at) == (2, NOON - 30 * MINUTE)
        CounterDecision.objects.create(
            series=register, stamp=steps[0].after.stamp, value=12, kind="swap", at=NOON
        )
        evaluate(now=clock.now)
        assert lasting()[0].evidence["count"] == 1
        quarantine.record(series_id=register.pk, day=1, steps=[])
        clock.pass_by(MINUTE, egauge)
        assert lasting() == []


class TestDamage:
    def test_days_that_cannot_be_worked_on_are_one_alert_until_they_are_repaired(
        self, clock: Clock, egauge: Device
    ) -> None:
        for day in (20_000, 20_001):
            damage.note(egauge.source.pk, day, damage.Step.ROLL, store.CorruptPayload(f"{day} is bad."))
        damage.note(egauge.source.pk, 20_000, damage.Step.COMPACT, store.CorruptPayload("20000 is bad."))
        evaluate(now=clock.now)
        [alert] = lasting()
        assert (alert.kind, alert.source, alert.key) == (Kind.DAMAGED, egauge.source, "")
        assert alert.evidence == {"count": 2, "error": "20000 is bad."}
        damage.forget_repaired()
        clock.pass_by(MINUTE, egauge)
        assert lasting() == []


class TestWarnings:
    def test_a_warning_opens_at_its_own_time_and_is_cleared_at_its_own(
        self, clock: Clock, egauge: Device, house_a: House
    ) -> None:
        warn(house_a, "no answer in 5 s", NOON - 3 * MINUTE, egauge.source)
        evaluate(now=clock.now)
        [alert] = lasting()
        assert (alert.source, alert.opened_at) == (egauge.source, NOON - 3 * MINUTE)
        assert alert.evidence["text"] == "no answer in 5 s"
        warn(house_a, "no answer in 7 s", NOON, egauge.source, cleared=True)
        evaluate(now=clock.now)
        alert.refresh_from_db()
        assert (alert.state, alert.cleared_at) == (State.CLEARED, NOON)

    def test_one_text_class_is_one_alert_and_others_are_others(
        self, clock: Clock, egauge: Device, house_a: House
    ) -> None:
        other = meter(house_a, "other")
        for number in range(5):
            warn(house_a, f"lost {number} rows", NOON + number * MINUTE, egauge.source)
        warn(house_a, "no answer", NOON, egauge.source)
        warn(house_a, "no answer", NOON, other.source)
        warn(house_a, "no answer", NOON)
        evaluate(now=clock.now)
        assert len(lasting()) == 4
        assert "lost 4 rows" in {alert.evidence["text"] for alert in lasting()}

    def test_an_outage_told_long_after_it_was_over_is_on_record(
        self, clock: Clock, egauge: Device, house_a: House
    ) -> None:
        warn(house_a, "x", NOON - 3 * DAY, egauge.source)
        warn(house_a, "x", NOON - 2 * DAY, egauge.source, cleared=True)
        evaluate(now=clock.now)
        [alert] = Alert.objects.all()
        assert (alert.opened_at, alert.cleared_at) == (NOON - 3 * DAY, NOON - 3 * DAY + DAY)

    def test_the_end_may_arrive_before_the_beginning(
        self, clock: Clock, egauge: Device, house_a: House
    ) -> None:
        warn(house_a, "x", NOON, egauge.source, cleared=True)
        clock.pass_by(HOUR)
        assert Alert.objects.count() == 0
        warn(house_a, "x", NOON - HOUR, egauge.source)
        evaluate(now=clock.now)
        [alert] = Alert.objects.all()
        assert (alert.opened_at, alert.cleared_at) == (NOON - HOUR, NOON)

    def test_clearing_without_a_text_clears_all_of_the_device(
        self, clock: Clock, egauge: Device, house_a: House
    ) -> None:
        warn(house_a, "a", NOON, egauge.source)
        warn(house_a, "b", NOON, egauge.source)
        warn(house_a, "c", NOON)
        evaluate(now=clock.now)
        warn(house_a, "", NOON + MINUTE, egauge.source, cleared=True)
        evaluate(now=clock.now + MINUTE)
        assert [alert.evidence["text"] for alert in lasting()] == ["c"]

    def test_what_nobody_repeats_for_a_day_is_over(self, clock: Clock, house_a: House) -> None:
        warn(house_a, "x", NOON)
        evaluate(now=NOON + DAY)
        assert len(lasting()) == 1
        evaluate(now=NOON + DAY + MINUTE)
        assert lasting() == []

    def test_it_opens_anew_after_it_was_cleared(self, clock: Clock, house_a: House) -> None:
        for minute in range(3):
            warn(house_a, "x", NOON + 2 * minute * MINUTE)
            evaluate(now=clock.now)
            warn(house_a, "x", NOON + (2 * minute + 1) * MINUTE, cleared=True)
            evaluate(now=clock.now)
        assert Alert.objects.filter(state=State.CLEARED).count() == 3

    def test_acknowledging_survives_repeats(self, clock: Clock, house_a: House, alice: User) -> None:
        warn(house_a, "x", NOON)
        evaluate(now=clock.now)
        acknowledge(alert=lasting()[0], by=alice, at=NOON)
        warn(house_a, "x", NOON + MINUTE)
        evaluate(now=clock.now)
        [alert] = lasting()
        assert (alert.state, alert.acknowledged_by) == (State.ACKNOWLEDGED, alice)


class TestRuns:
    def test_a_run_that_is_repeated_changes_nothing(
        self, clock: Clock, egauge: Device, house_a: House
    ) -> None:
        seen(house_a, clock.now, spool=900, spool_bound=1000)
        warn(house_a, "x", clock.now)
        clock.pass_by(20 * MINUTE)
        tables = (Alert, Suspicion, Watch, Evaluation)
        before = [list(model.objects.order_by("pk").values()) for model in tables]
        for _ in range(3):
            evaluate(now=clock.now)
        assert [list(model.objects.order_by("pk").values()) for model in tables] == before

    def test_what_did_not_change_is_not_written(self, clock: Clock, egauge: Device, house_a: House) -> None:
        seen(house_a, clock.now)
        clock.pass_by(20 * MINUTE)
        versions = "SELECT xmin::text FROM alerts_alert UNION ALL SELECT xmin::text FROM alerts_watch"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(versions)
            before = cursor.fetchall()
            evaluate(now=clock.now + MINUTE)
            cursor.execute(versions)
            assert cursor.fetchall() == before

    def test_two_thousand_sources_take_no_more_statements_than_two(
        self, clock: Clock, house_a: House, house_b: House
    ) -> None:
        few = self._statements(clock, house_b, 2)
        clock.set(clock.now + timedelta(hours=1))
        many = self._statements(clock, house_a, 2000)
        assert many == few

    def _statements(self, clock: Clock, house: House, count: int) -> tuple[int, int]:
        """Of an evaluation in which so many sources have news, and of one in which all are silent."""
        House.objects.update(enabled=Q(pk=house.pk))
        sources = baker.make(Source, house=house, enabled=True, name=baker.seq("s"), _quantity=count)
        newest = [Latest(source=source, newest=clock.ms, fields={"p": [clock.ms, 1.5]}) for source in sources]
        Latest.objects.bulk_create(newest)
        evaluate(now=clock.now)
        Latest.objects.update(newest=clock.ms + 300_000)
        with CaptureQueriesContext(connection) as lively:
            evaluate(now=clock.now + 6 * MINUTE)
        Watch.objects.update(arrivals=9, pauses={"1": 0})
        for minute in (26, 27, 28, 29, 30):
            evaluate(now=clock.now + minute * MINUTE)
        with CaptureQueriesContext(connection) as opening:
            evaluate(now=clock.now + 31 * MINUTE)
        assert len([alert for alert in lasting(Kind.SILENT) if alert.house_id == house.pk]) == count
        return len(lively), len(opening)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_do_the_work_once(house_a: House) -> None:
    egauge = meter(house_a)
    report(egauge, NOON)
    warn(house_a, "x", NOON, egauge.source)
    Refusal.objects.create(house=house_a, code="too_old", count=1, first_at=NOON, last_at=NOON)
    at_once(*[lambda: evaluate(now=NOON)] * 4)
    evaluate(now=NOON)
    assert sorted(alert.kind for alert in Alert.objects.all()) == [Kind.REFUSED, Kind.WARNING]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_finds_another_at_it_does_nothing(house_a: House) -> None:
    with transaction.atomic():
        assert evaluate(now=NOON)
        found: list[bool] = []
        at_once(lambda: found.append(evaluate(now=NOON)))
        assert found == [False]
