"""When an alert fires: its condition has to hold at every look for as long as its patience. Pure; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.measurements.evaluation import evaluate
from kernel.measurements.rules import AlertRule
from kernel.measurements.series import Labels, Reading

AlertKey = tuple[str, Labels]


@dataclass(frozen=True, slots=True)
class Holding:
    """A condition that holds; firing_since is None while its patience lasts."""

    value: float
    holds_since: datetime
    firing_since: datetime | None


def judged(
    rules: Iterable[AlertRule], readings: Sequence[Reading], before: Mapping[AlertKey, Holding], *, at: datetime
) -> dict[AlertKey, Holding]:
    """Every condition that holds now. What is not among them has cleared."""
    found: dict[AlertKey, Holding] = {}
    for rule in rules:
        for labels, value in evaluate(rule.expression, readings, at=at).items():
            key = (rule.name, labels)
            earlier = before.get(key)
            since = earlier.holds_since if earlier else at
            firing_since = earlier.firing_since if earlier else None
            if firing_since is None and at - since >= rule.patience:
                firing_since = at
            found[key] = Holding(value, since, firing_since)
    return found
