"""What the page Performance shows, all of it from what was sampled: three small statements, whatever the load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from console.alerts import AlertsNow, FiringAlert, alerts_now
from console.charts import Chart
from console.rates import Step, buckets_by, percentiles, step_over, steps_of
from console.timecharts import estimate_shown, latency_chart, rate_chart, rate_shown
from console.vitals import Now, backlog_cards, cache_lines, database_lines
from console.windows import PARAMETER, WINDOWS, Window
from kernel.display import badge, length, moment
from kernel.measurements.models import Measurement
from kernel.measurements.rules import AlertRule

RECENT = timedelta(minutes=5)
WEBHOOK = "paymentsite_webhook_seconds"
BATCH = "paymentsite_staging_batch_seconds"
PUBLISHING = "paymentsite_event_publish_seconds"


@dataclass(frozen=True, slots=True)
class LatencyLine:
    """One kind of work in the chosen time: how often, how often a second, and how long it took."""

    title: str
    count: str
    rate: str
    percentiles: Sequence[str]


def performance_context(request: HttpRequest, window: Window, *, at: datetime) -> dict[str, Any]:
    """Everything that the page's template shows."""
    alerts = alerts_now(at=at)
    ends = window.ends(at)
    steps = steps_of(_measured(window, since=ends[0] - window.step, until=at), window, ends)
    now = _now(at)
    return {
        "alerts": alerts,
        "firing": [_alert_line(alert) for alert in alerts.firing],
        "watched": [_watched_line(rule, alerts) for rule in alerts.rules],
        "verdict": _verdict(alerts),
        "backlogs": [card for card in backlog_cards(now) if card.may_be_seen(request)],
        "latencies": _latencies([growth for step in steps for growth in step]),
        "vitals": [*cache_lines(steps), *database_lines(now)],
        "charts": _charts(steps, ends),
        "windows": [_choice(choice, window) for choice in WINDOWS],
        "window": window,
        "sampled_at": moment(alerts.sampled_at) if alerts.sampled_at else None,
        "is_off": not settings.ENABLE_METRICS,
        "retention_days": settings.MEASUREMENT_RETENTION_DAYS,
    }


def _measured(window: Window, *, since: datetime, until: datetime) -> Iterable[Measurement]:
    rows = Measurement.objects
    found = rows.samples().between(since, until) if window.is_fine else rows.finest(since, until)
    return found.defer("gauges")


def _now(at: datetime) -> Now:
    samples = list(Measurement.objects.samples().between(at - RECENT, at))
    latest = {sample.source: sample.gauges for sample in samples}
    return Now(latest=list(latest.values()), recent=step_over(samples))


def _charts(steps: Sequence[Step], ends: Sequence[datetime]) -> list[Chart]:
    stretch = (steps, ends)
    return [
        rate_chart("Webhook requests", "a second, by answer", "paymentsite_webhooks_total", "outcome", *stretch),
        latency_chart("Webhook latency", WEBHOOK, *stretch),
        rate_chart("Staged rows", "rows a second, by outcome", "paymentsite_staged_rows_total", "outcome", *stretch),
        latency_chart("Time of a staging batch", BATCH, *stretch),
        rate_chart("Events relayed", "events a second", "paymentsite_events_published_total", "result", *stretch),
        latency_chart("From an event's commit to its delivery", PUBLISHING, *stretch),
    ]


def _latencies(step: Step) -> list[LatencyLine]:
    """Webhooks by channel and answer, the busiest first, then batches and events."""
    webhooks = buckets_by(("channel", "outcome"), WEBHOOK, step)
    seconds = sum(growth.seconds for growth in step) / max(len({growth.source for growth in step}), 1)
    lines = [(f"Webhook {channel}: {outcome}", buckets) for (channel, outcome), buckets in webhooks.items()]
    lines.sort(key=lambda line: -max(line[1].values()))
    lines += [("Staging batch", buckets_by((), BATCH, step).get((), {}))]
    lines += [("Event, commit to delivery", buckets_by((), PUBLISHING, step).get((), {}))]
    return [_latency_line(title, buckets, seconds) for title, buckets in lines if buckets]


def _latency_line(title: str, buckets: dict[float, float], seconds: float) -> LatencyLine:
    count = max(buckets.values())
    estimates = [estimate_shown(estimate) for estimate in percentiles(buckets)]
    return LatencyLine(title, f"{count:,.0f}", rate_shown(count / seconds), estimates)


def _verdict(alerts: AlertsNow) -> str:
    number = len(alerts.firing)
    if number:
        return f"{number} alert{'s' if number > 1 else ''} firing"
    return "No alert fires"


def _alert_line(alert: FiringAlert) -> dict[str, Any]:
    return {
        "badge": badge("Critical" if alert.kind == "bad" else "Warning", alert.kind),
        "name": alert.rule.name,
        "summary": alert.summary,
        "since": moment(alert.since),
        "measured": alert.measured,
        "limit": alert.limit,
        "runbook": alert.runbook,
        "console": alert.rule.console,
        "kind": alert.kind,
    }


def _watched_line(rule: AlertRule, alerts: AlertsNow) -> dict[str, Any]:
    if any(alert.rule.name == rule.name for alert in alerts.firing):
        state = badge("Fires", "bad" if rule.severity == "critical" else "attention")
    elif any(alert.rule.name == rule.name for alert in alerts.pending):
        state = badge("Holds, not yet for long enough", "waiting")
    else:
        state = badge("Quiet", "good")
    return {
        "name": rule.name,
        "condition": rule.condition,
        "patience": length(rule.patience).removesuffix(" 0 s").removesuffix(" 0 min") if rule.patience else "at once",
        "state": state,
    }


def _choice(choice: Window, chosen: Window) -> dict[str, Any]:
    address = reverse("admin:measurements_measurement_changelist")
    return {
        "title": choice.title,
        "address": f"{address}?{PARAMETER}={choice.name}",
        "is_chosen": choice is chosen,
    }
