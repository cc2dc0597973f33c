"""What the counters say of a stretch of time: rates, and percentiles with their bounds. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from console.windows import Window
from kernel.measurements.quantiles import Estimate, quantile
from kernel.measurements.series import BUCKET_LABEL, Reading, merged, parts_of

SHARES = (0.5, 0.95, 0.99)
Step = Sequence[Reading]


def steps_of(readings: Iterable[Reading], window: Window, ends: list[datetime]) -> list[Step]:
    """For each step what every source measured in it, as one reading a source; empty where nothing was measured."""
    found: list[dict[str, list[Reading]]] = [defaultdict(list) for _ in ends]
    for reading in readings:
        place = window.step_of(reading.at, ends)
        if place is not None:
            found[place][reading.source].append(reading)
    return [
        [merged(parts, source=source, at=end) for source, parts in sources.items()]
        for end, sources in zip(ends, found, strict=True)
    ]


def rates_by(label: str, name: str, step: Step) -> dict[str, float]:
    """How many a second by the values of one label of a counter, over all sources; '' for those without it."""
    rates: dict[str, float] = defaultdict(float)
    for reading in step:
        for labels, growth in _growths(name, reading):
            rates[labels.get(label, "")] += growth / reading.seconds
    return dict(rates)


def rate(name: str, step: Step, **wanted: str) -> float:
    """How many a second, of the counters with these labels."""
    return sum(
        growth / reading.seconds
        for reading in step
        for labels, growth in _growths(name, reading)
        if wanted.items() <= labels.items()
    )


def total(name: str, step: Step, **wanted: str) -> float:
    return sum(
        growth for reading in step for labels, growth in _growths(name, reading) if wanted.items() <= labels.items()
    )


def buckets_by(by: Sequence[str], name: str, step: Step) -> dict[tuple[str, ...], dict[float, float]]:
    """The buckets of a histogram, added up over all sources, for each set of values of the labels `by`."""
    found: dict[tuple[str, ...], dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for reading in step:
        for labels, growth in _growths(f"{name}_bucket", reading):
            group = tuple(labels.get(label, "") for label in by)
            found[group][float(labels[BUCKET_LABEL])] += growth
    return {group: dict(buckets) for group, buckets in found.items()}


def percentiles(buckets: Mapping[float, float]) -> list[Estimate | None]:
    """p50, p95 and p99, in this order."""
    return [quantile(share, buckets) for share in SHARES]


def _growths(name: str, reading: Reading) -> Iterable[tuple[dict[str, str], float]]:
    for key, growth in reading.counters.items():
        if key.startswith(name):
            found, labels = parts_of(key)
            if found == name:
                yield dict(labels), growth
