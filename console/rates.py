"""What the counters say of a stretch of time: rates, and percentiles with their bounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import add

from console.windows import Window
from kernel.measurements.models import Measurement
from kernel.measurements.packing import BOUNDS, COUNTS, Packed
from kernel.measurements.quantiles import Estimate, quantile
from kernel.measurements.series import parts_of

SHARES = (0.5, 0.95, 0.99)


@dataclass(slots=True)
class Growth:
    """By how much a source's counters grew in so many seconds; of a histogram its bounds and the counts up to each."""

    source: str
    seconds: float = 0.0
    counters: dict[str, float] = field(default_factory=dict)
    histograms: dict[str, tuple[list[str], list[float]]] = field(default_factory=dict)

    def add(self, seconds: float, stored: Packed) -> None:
        """Puts one more measurement to it."""
        self.seconds += seconds
        for key, value in stored.items():
            if not isinstance(value, Mapping):
                self.counters[key] = self.counters.get(key, 0.0) + value
                continue
            known = self.histograms.get(key)
            # Other bounds are those of another version of ours: the later counts alone are kept then.
            is_alike = known is not None and known[0] == value[BOUNDS]
            counts = list(map(add, known[1], value[COUNTS])) if known and is_alike else value[COUNTS]
            self.histograms[key] = (value[BOUNDS], counts)


# What every source measured in one stretch of time; empty when nobody measured.
Step = Sequence[Growth]


def steps_of(measured: Iterable[Measurement], window: Window, ends: list[datetime]) -> list[Step]:
    """The measurements by the step that they ended in."""
    found: list[dict[str, Growth]] = [{} for _ in ends]
    for measurement in measured:
        place = window.step_of(measurement.at, ends)
        if place is not None:
            _put(found[place], measurement)
    return [list(sources.values()) for sources in found]


def step_over(measured: Iterable[Measurement]) -> Step:
    """All of the measurements as one step."""
    sources: dict[str, Growth] = {}
    for measurement in measured:
        _put(sources, measurement)
    return list(sources.values())


def rates_by(label: str, name: str, step: Step) -> dict[str, float]:
    """How many a second by the values of one label of a counter, over all sources; '' for those without it."""
    rates: dict[str, float] = defaultdict(float)
    for growth in step:
        for labels, number in _counted(name, growth):
            rates[labels.get(label, "")] += number / growth.seconds
    return dict(rates)


def rate(name: str, step: Step, **wanted: str) -> float:
    """How many a second, of the counters with these labels."""
    return sum(
        number / growth.seconds
        for growth in step
        for labels, number in _counted(name, growth)
        if wanted.items() <= labels.items()
    )


def total(name: str, step: Step, **wanted: str) -> float:
    return sum(
        number for growth in step for labels, number in _counted(name, growth) if wanted.items() <= labels.items()
    )


def buckets_by(by: Sequence[str], name: str, step: Step) -> dict[tuple[str, ...], dict[float, float]]:
    """The buckets of a histogram, added up over all sources, for each set of values of the labels `by`."""
    found: dict[tuple[str, ...], dict[float, float]] = {}
    for growth in step:
        for key, (bounds, counts) in growth.histograms.items():
            if key.startswith(name):
                found_name, labels = parts_of(key)
                if found_name == f"{name}_bucket":
                    group = tuple(dict(labels).get(label, "") for label in by)
                    buckets = found.setdefault(group, {})
                    for bound, count in zip(map(float, bounds), counts, strict=True):
                        buckets[bound] = buckets.get(bound, 0.0) + count
    return found


def percentiles(buckets: Mapping[float, float]) -> list[Estimate | None]:
    """p50, p95 and p99, in this order."""
    return [quantile(share, buckets) for share in SHARES]


def _put(sources: dict[str, Growth], measurement: Measurement) -> None:
    growth = sources.setdefault(measurement.source, Growth(measurement.source))
    growth.add(measurement.seconds, measurement.counters)


def _counted(name: str, growth: Growth) -> Iterable[tuple[dict[str, str], float]]:
    for key, number in growth.counters.items():
        if key.startswith(name):
            found, labels = parts_of(key)
            if found == name:
                yield dict(labels), number
