"""Keeps samples, sums them up, judges the alerts by them, and throws away what is too old to be asked for."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Max

from kernel.measurements.alerting import AlertKey, Holding, judged
from kernel.measurements.models import AlertState, Measurement, MeasurementSource
from kernel.measurements.packing import packed
from kernel.measurements.promql import range_of
from kernel.measurements.rules import AlertRule
from kernel.measurements.series import increases, merged
from kernel.transactions import inside_unit_of_work, unit_of_work

logger = logging.getLogger(__name__)

SAMPLE_SECONDS = 15
# Two samplers of one source may meet: whoever comes sooner than this after the other has nothing to add.
LEAST_APART = timedelta(seconds=SAMPLE_SECONDS / 2)
SUMMARY = timedelta(minutes=5)
SAMPLES_KEPT = timedelta(hours=2)
# A source that was silent for so long begins anew: a machine that was taken away, a process that ended.
SOURCES_KEPT = timedelta(days=2)
# "meas" and "alrt" in ASCII: the first half of each source's lock, and the lock of the one judge.
SAMPLER_LOCK = 0x6D656173
JUDGE_LOCK = 0x616C7274


@unit_of_work
def keep_sample(
    source: str, *, totals: Mapping[str, float], gauges: Mapping[str, float], at: datetime, retention: timedelta
) -> bool:
    """Stores how much the totals grew since the source's last sample, and the gauges. Sums up what is complete.

    False when another sampler of this source is at it or has just been. The first sample of a source only notes its
    totals: how long they took to grow is not known.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s::int, %s::int)", [SAMPLER_LOCK, _lock_number(source)])
        if not cursor.fetchone()[0]:
            return False
    known = MeasurementSource.objects.filter(pk=source).first()
    if known is not None and at - known.sampled_at < LEAST_APART:
        return False
    if known is None:
        MeasurementSource.objects.create(name=source, sampled_at=at, totals=dict(totals))
        return True
    Measurement.objects.create(
        source=source,
        at=at,
        seconds=(at - known.sampled_at).total_seconds(),
        counters=packed(increases(known.totals, totals)),
        gauges=dict(gauges),
    )
    MeasurementSource.objects.filter(pk=source).update(sampled_at=at, totals=dict(totals))
    if slot_of(at) != slot_of(known.sampled_at):
        _sum_up(source, until=slot_of(at))
        _forget_old(at=at, retention=retention)
    return True


@unit_of_work
def judge_alerts(rules: Sequence[AlertRule], *, at: datetime) -> list[AlertState]:
    """Notes which alerts' conditions hold at the instant; gives those that fire. One judge at a time: others get []."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s::bigint)", [JUDGE_LOCK])
        if not cursor.fetchone()[0]:
            return []
    longest = timedelta(seconds=max((range_of(rule.expression) for rule in rules), default=0))
    window = Measurement.objects.samples().between(at - max(longest, SUMMARY), at)
    readings = [measurement.reading for measurement in window]
    known = {_key_of(state): state for state in AlertState.objects.lock_all()}
    before = {key: Holding(state.value, state.holds_since, state.firing_since) for key, state in known.items()}
    now = judged(rules, readings, before, at=at)
    states = [_note(key, holding, known.get(key), at=at) for key, holding in now.items()]
    for key, state in known.items():
        if key not in now:
            state.delete()
            if state.firing_since is not None:
                _tell("An alert has cleared", key, state.value)
    return [state for state in states if state.firing_since is not None]


def slot_of(at: datetime) -> datetime:
    """The beginning of the five minutes that the instant ends or lies in: (beginning, beginning + 5 min]."""
    seconds = int(SUMMARY.total_seconds())
    whole = at.timestamp()
    return datetime.fromtimestamp(-(-whole // seconds) * seconds - seconds, UTC)


@inside_unit_of_work
def _sum_up(source: str, *, until: datetime) -> None:
    """Puts the samples of every complete five minutes together that were not put together yet."""
    last = Measurement.objects.summaries().filter(source=source).aggregate(last=Max("at"))["last"]
    samples = Measurement.objects.samples().filter(source=source, at__lte=until).order_by("at")
    slots: dict[datetime, list[Measurement]] = {}
    for sample in samples if last is None else samples.filter(at__gt=last):
        slots.setdefault(slot_of(sample.at), []).append(sample)
    for slot, measured in slots.items():
        whole = merged((sample.reading for sample in measured), source=source, at=slot + SUMMARY)
        Measurement.objects.create(
            source=source,
            at=whole.at,
            seconds=whole.seconds,
            is_summary=True,
            counters=packed(whole.counters),
            gauges=dict(whole.gauges),
        )


@inside_unit_of_work
def _forget_old(*, at: datetime, retention: timedelta) -> None:
    Measurement.objects.samples().filter(at__lte=at - SAMPLES_KEPT).delete()
    Measurement.objects.summaries().filter(at__lte=at - retention).delete()
    MeasurementSource.objects.filter(sampled_at__lte=at - SOURCES_KEPT).delete()


@inside_unit_of_work
def _note(key: AlertKey, holding: Holding, known: AlertState | None, *, at: datetime) -> AlertState:
    name, labels = key
    state = known or AlertState(name=name, labels=dict(labels), holds_since=holding.holds_since)
    if state.firing_since is None and holding.firing_since is not None:
        _tell("An alert fires", key, holding.value)
    state.value, state.firing_since, state.judged_at = holding.value, holding.firing_since, at
    state.save()
    return state


def _tell(sentence: str, key: AlertKey, value: float) -> None:
    name, labels = key
    logger.warning(sentence, extra={"action": "judge_alerts", "alert": name, "labels": dict(labels), "value": value})


def _key_of(state: AlertState) -> AlertKey:
    return state.name, tuple(sorted(state.labels.items()))


def _lock_number(source: str) -> int:
    """Four bytes with a sign, as PostgreSQL wants the second half of a lock."""
    return zlib.crc32(source.encode()) - 2**31
