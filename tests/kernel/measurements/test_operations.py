from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection

from kernel.measurements.models import AlertState, Measurement, MeasurementSource
from kernel.measurements.operations import SAMPLER_LOCK, judge_alerts, keep_sample, slot_of
from kernel.measurements.operations import _lock_number as lock_number
from kernel.measurements.rules import rules_of

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
STEP = timedelta(seconds=15)
RETENTION = timedelta(days=14)
RULES = rules_of(settings.ALERT_RULES)


def sampled(total: float, *, at: datetime, source: str = "one", **gauges: float) -> bool:
    return keep_sample(source, totals={"x_total": total}, gauges=gauges, at=at, retention=RETENTION)


def growths(*, is_summary: bool = False) -> list[tuple[float, float]]:
    found = Measurement.objects.filter(is_summary=is_summary).order_by("at")
    return [(measurement.counters.get("x_total", 0.0), measurement.seconds) for measurement in found]


def test_the_first_sample_of_a_source_only_notes_its_totals() -> None:
    assert sampled(500, at=START) is True
    assert growths() == []
    assert sampled(530, at=START + STEP) is True
    assert growths() == [(30, 15)]


def test_after_a_restart_the_new_totals_are_the_growth_and_after_a_pause_it_is_spread_over_it() -> None:
    for place, total in enumerate((100, 160, 20, 50)):
        sampled(total, at=START + place * STEP)
    sampled(650, at=START + timedelta(minutes=10, seconds=45))
    assert growths() == [(60, 15), (20, 15), (30, 15), (600, 600)]


def test_a_second_sampler_that_comes_a_moment_later_adds_nothing() -> None:
    sampled(1, at=START)
    sampled(2, at=START + STEP)
    assert sampled(3, at=START + STEP + timedelta(seconds=7)) is False
    assert growths() == [(1, 15)]
    assert MeasurementSource.objects.get().totals == {"x_total": 2}


def test_of_ten_samplers_of_one_source_at_once_one_samples_and_other_sources_go_on() -> None:
    sampled(0, at=START)
    sampled(0, at=START, source="two")
    begin = threading.Barrier(11)

    def race(source: str) -> bool:
        begin.wait(10)
        try:
            return sampled(10, at=START + STEP, source=source)
        finally:
            connection.close()

    with ThreadPoolExecutor(11) as pool:
        kept = list(pool.map(race, ["one"] * 10 + ["two"]))
    assert (kept[:10].count(True), kept[10]) == (1, True)
    assert growths() == [(10, 15), (10, 15)]


def test_while_a_sampler_holds_the_lock_the_next_one_does_not_wait() -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(%s::int, %s::int)", [SAMPLER_LOCK, lock_number("one")])
            held.set()
            done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        assert sampled(1, at=START) is False
        assert MeasurementSource.objects.count() == 0
    finally:
        done.set()
        holder.join(10)


def test_samples_of_five_minutes_are_summed_up_once_and_nothing_is_lost() -> None:
    for place in range(45):
        sampled(place * 10, at=START + place * STEP, backlog=float(place % 7))
    summaries = list(Measurement.objects.summaries().order_by("at"))
    # The first slot ends at 12:05 and the second at 12:10; what came after waits for its slot to end.
    assert [summary.at for summary in summaries] == [START + timedelta(minutes=5), START + timedelta(minutes=10)]
    assert growths(is_summary=True) == [(200, 300), (200, 300)]
    assert [summary.gauges for summary in summaries] == [{"backlog": 6.0}, {"backlog": 6.0}]


def test_every_moment_is_read_once_from_summaries_and_from_samples_not_yet_summed_up() -> None:
    for place in range(45):
        sampled(place * 10, at=START + place * STEP)
    found = list(Measurement.objects.finest(START, START + timedelta(hours=1)))
    assert sum(measurement.counters["x_total"] for measurement in found) == 440
    assert sum(measurement.seconds for measurement in found) == 660
    assert [measurement.is_summary for measurement in found] == [True, True, False, False, False, False]


def test_old_samples_and_summaries_and_silent_sources_go() -> None:
    sampled(0, at=START, source="gone")
    for place in range(25):
        sampled(place, at=START + place * STEP)
    later = START + timedelta(hours=3)
    sampled(100, at=later)
    assert Measurement.objects.samples().filter(at__lte=later - timedelta(hours=2)).count() == 0
    assert Measurement.objects.summaries().count() == 2
    much_later = START + RETENTION + timedelta(minutes=6)
    sampled(101, at=much_later)
    # The summary of the first five minutes is older than the retention by now, the one of the second is not.
    oldest = Measurement.objects.summaries().earliest("at")
    assert oldest.at == START + timedelta(minutes=10)
    assert set(MeasurementSource.objects.values_list("name", flat=True)) == {"one"}


@pytest.mark.parametrize(
    ("at", "slot"),
    [
        (START, START - timedelta(minutes=5)),
        (START + timedelta(microseconds=1), START),
        (START + timedelta(minutes=4, seconds=59), START),
        (START + timedelta(minutes=5), START),
    ],
)
def test_five_minutes_end_with_the_instant_that_closes_them(at: datetime, slot: datetime) -> None:
    assert slot_of(at) == slot


def backlog_until(rows: list[float]) -> list[list[str]]:
    """The alerts that fire after each minute, when so many staged rows wait."""
    fired = []
    sampled(0, at=START)
    for place, waiting in enumerate(rows, 1):
        at = START + timedelta(minutes=place)
        sampled(0, at=at, paymentsite_staging_backlog_rows=waiting, paymentsite_figures_up=1)
        fired.append([state.name for state in judge_alerts(RULES, at=at)])
    return fired


def test_an_alert_is_noted_while_it_holds_fires_after_its_patience_and_is_gone_when_it_clears() -> None:
    assert backlog_until([20000] * 5) == [[]] * 5
    state = AlertState.objects.get()
    assert (state.name, state.value, state.firing_since) == ("StagingBacklogLarge", 20000, None)
    assert state.holds_since == START + timedelta(minutes=1)

    at = START + timedelta(minutes=6)
    sampled(0, at=at, paymentsite_staging_backlog_rows=30000, paymentsite_figures_up=1)
    (firing,) = judge_alerts(RULES, at=at)
    assert (firing.pk, firing.value, firing.firing_since) == (state.pk, 30000, at)

    at += timedelta(minutes=1)
    sampled(0, at=at, paymentsite_staging_backlog_rows=10000, paymentsite_figures_up=1)
    assert judge_alerts(RULES, at=at) == []
    assert AlertState.objects.count() == 0


def test_a_limit_that_is_passed_for_a_moment_fires_nothing() -> None:
    assert backlog_until([20000, 20000, 20000, 20000, 0, 20000, 20000]) == [[]] * 7
    assert AlertState.objects.get().holds_since == START + timedelta(minutes=6)


def test_of_several_judges_at_once_each_alert_is_noted_once() -> None:
    sampled(0, at=START)
    sampled(0, at=START + STEP, paymentsite_default_partition_rows=4, paymentsite_figures_up=1)
    begin = threading.Barrier(6)

    def judge(_: int) -> int:
        begin.wait(10)
        try:
            return len(judge_alerts(RULES, at=START + STEP))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert max(pool.map(judge, range(6))) == 1
    assert [state.name for state in AlertState.objects.all()] == ["DefaultPartitionNotEmpty"]
