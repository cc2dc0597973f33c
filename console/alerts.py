"""The alerts that fire now, as the page shows them: since when, how far past the limit, what to do and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max

from kernel.measurements.evaluation import evaluate
from kernel.measurements.models import AlertState, MeasurementSource
from kernel.measurements.rules import AlertRule, rules_of, shown
from kernel.measurements.series import Reading

# Judged when the page is read: whoever samples cannot tell that nobody samples.
SILENCE = "SamplerSilent"
AGE = "paymentsite_sample_age_seconds"


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """One alert. `since` is when its condition began to hold."""

    rule: AlertRule
    value: float
    labels: dict[str, str]
    since: datetime
    fires: bool

    @property
    def summary(self) -> str:
        return self.rule.summary_of(self.value, self.labels)

    @property
    def runbook(self) -> str:
        return self.rule.runbook_of(self.value, self.labels)

    @property
    def measured(self) -> str:
        return shown(self.value, self.rule.form)

    @property
    def limit(self) -> str:
        threshold = self.rule.threshold
        return f"{threshold[0]} {shown(threshold[1], self.rule.form)}" if threshold else ""

    @property
    def kind(self) -> str:
        return "bad" if self.rule.severity == "critical" else "attention"


@dataclass(frozen=True, slots=True)
class AlertsNow:
    """What fires (critical first), what is about to, every rule, and when the latest sample was taken."""

    firing: Sequence[FiringAlert]
    pending: Sequence[FiringAlert]
    rules: Sequence[AlertRule]
    sampled_at: datetime | None
    is_silent: bool


def alerts_now(*, at: datetime) -> AlertsNow:
    """Two small statements and the rule file, which is read again only when it has changed."""
    rules = {rule.name: rule for rule in rules_of(settings.ALERT_RULES)}
    sampled_at = MeasurementSource.objects.aggregate(latest=Max("sampled_at"))["latest"]
    silence = _silence(rules[SILENCE], sampled_at, at)
    known = [
        FiringAlert(rules[state.name], state.value, state.labels, state.holds_since, state.firing_since is not None)
        for state in AlertState.objects.order_by("holds_since", "pk")
        if state.name in rules and state.name != SILENCE
    ]
    firing = [*silence, *(alert for alert in known if alert.fires)]
    return AlertsNow(
        firing=sorted(firing, key=lambda alert: alert.kind != "bad"),
        pending=[alert for alert in known if not alert.fires],
        rules=list(rules.values()),
        sampled_at=sampled_at,
        is_silent=bool(silence),
    )


def _silence(rule: AlertRule, sampled_at: datetime | None, at: datetime) -> list[FiringAlert]:
    if sampled_at is None:
        return []
    age = at - sampled_at
    reading = Reading("", at, 1, {}, {AGE: age / timedelta(seconds=1)})
    held = evaluate(rule.expression, [reading], at=at)
    return [FiringAlert(rule, value, {}, sampled_at, fires=True) for value in held.values()]
