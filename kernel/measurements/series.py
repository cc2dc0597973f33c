"""Series as Prometheus knows them, how much counters grew between two looks, and readings put together.

A key is the name with its labels as JSON, `paymentsite_webhooks_total{"channel": "branch", "outcome": "created"}`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

Labels = tuple[tuple[str, str], ...]
BUCKET_LABEL = "le"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source showed at an instant.

    `counters` holds how much each grew in the `seconds` before, `gauges` what each said at the instant, both by key.
    """

    source: str
    at: datetime
    seconds: float
    counters: Mapping[str, float]
    gauges: Mapping[str, float]


def key_of(name: str, labels: Mapping[str, str]) -> str:
    return name + (json.dumps(dict(sorted(labels.items())), ensure_ascii=False) if labels else "")


@lru_cache(maxsize=8192)
def parts_of(key: str) -> tuple[str, Labels]:
    """The name and the labels, in order of their names."""
    name, brace, rest = key.partition("{")
    return name, tuple(sorted(json.loads(brace + rest).items())) if brace else ()


def increases(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """How much each counter grew between two totals of one source; counters that stood still are left out.

    When any total fell or is gone, the processes began anew and all counters with them: then they grew by what they
    show now. A histogram that grew keeps its empty buckets, because their bounds tell where its values lie.
    """
    has_begun_anew = any(now.get(key, -1.0) < total for key, total in before.items())
    grown = {key: total - (0.0 if has_begun_anew else before.get(key, 0.0)) for key, total in now.items()}
    moved = {_without_bucket(key) for key, growth in grown.items() if growth > 0}
    return {key: growth for key, growth in grown.items() if _without_bucket(key) in moved}


def merged(readings: Iterable[Reading], *, source: str, at: datetime) -> Reading:
    """Several readings of one source as one: growths and lengths add up, of each gauge the highest stays."""
    counters: dict[str, float] = defaultdict(float)
    gauges: dict[str, float] = {}
    seconds = 0.0
    for reading in readings:
        seconds += reading.seconds
        for key, growth in reading.counters.items():
            counters[key] += growth
        for key, value in reading.gauges.items():
            gauges[key] = max(value, gauges.get(key, value))
    return Reading(source, at, seconds, dict(counters), gauges)


@lru_cache(maxsize=8192)
def _without_bucket(key: str) -> tuple[str, Labels]:
    name, labels = parts_of(key)
    return name, tuple(label for label in labels if label[0] != BUCKET_LABEL)
