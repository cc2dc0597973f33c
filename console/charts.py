"""Two stacked bar charts for Chart.js, which unfold brings along, and the same figures as a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from console.querysets import HourFigure
from kernel.calendar import ledger_zone

# Told apart by people who do not see all colours, and visible on a light and on a dark ground.
COLOURS = ("#3b7dd8", "#d98200", "#12997a", "#b759a8", "#8268e0", "#7a8494")
TEXT_COLOUR = "#76808e"
SERIES_SHOWN = 5
OTHERS = "others"
TROUBLES = {"duplicate": "Duplicates", "rejection": "Rejected rows", "refusal": "Refused requests"}
OPTIONS = json.dumps(
    {
        "responsive": True,
        "maintainAspectRatio": False,
        "animation": False,
        "datasets": {"bar": {"maxBarThickness": 28}},
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {
            "legend": {
                "display": True,
                "position": "bottom",
                "labels": {"color": TEXT_COLOUR, "boxWidth": 12, "boxHeight": 12},
            }
        },
        "scales": {
            "x": {"stacked": True, "grid": {"display": False}, "ticks": {"color": TEXT_COLOUR, "maxRotation": 0}},
            "y": {
                "stacked": True,
                "beginAtZero": True,
                "border": {"display": False},
                "grid": {},
                "ticks": {"color": TEXT_COLOUR, "precision": 0, "maxTicksLimit": 6},
            },
        },
    }
)


@dataclass(frozen=True, slots=True)
class Chart:
    """`value` and `options` are JSON for Chart.js; headers and rows are the same in a table."""

    title: str
    summary: str
    value: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: int
    options: str = OPTIONS
    kind: str = "bar"
    empty: str = "Nothing in these hours. Bars appear here within five seconds of the first one."


def recorded_chart(figures: Sequence[HourFigure], hours: Sequence[datetime]) -> Chart:
    """Payments recorded, by channel: the five largest and the others together."""
    totals: Counter[str] = Counter()
    for figure in figures:
        totals[_channel(figure.label)] += figure.count
    largest = [name for name, _ in totals.most_common(SERIES_SHOWN)]
    names = {name: name if name in largest else OTHERS for name in totals}
    series = [*largest, OTHERS] if len(totals) > SERIES_SHOWN else largest
    counted = [(figure.hour_at, names[_channel(figure.label)], figure.count) for figure in figures]
    return _chart("Payments per hour by channel", counted, hours, {name: name for name in series})


def troubles_chart(figures: Sequence[HourFigure], hours: Sequence[datetime]) -> Chart:
    """What did not become a payment: duplicates, rejected rows, refused requests."""
    counted = [(figure.hour_at, figure.label, figure.count) for figure in figures]
    return _chart("Duplicates and rejections per hour", counted, hours, TROUBLES)


def _chart(
    title: str, counted: Sequence[tuple[datetime, str, int]], hours: Sequence[datetime], series: Mapping[str, str]
) -> Chart:
    shown = set(hours)
    table: Counter[tuple[datetime, str]] = Counter()
    for hour, name, number in counted:
        if hour in shown:
            table[hour, name] += number
    labels = [f"{hour.astimezone(ledger_zone()):%H:%M}" for hour in hours]
    datasets = [
        {
            "label": label,
            "data": [table[hour, name] for hour in hours],
            "backgroundColor": COLOURS[place % len(COLOURS)],
        }
        for place, (name, label) in enumerate(series.items())
    ]
    total = sum(table.values())
    rows = [
        [f"{hour.astimezone(ledger_zone()):%a %H:%M %Z}", *(f"{table[hour, name]:,}" for name in series)]
        for hour in reversed(hours)
    ]
    return Chart(
        title,
        f"{total:,} in the last {len(hours)} hours, {ledger_zone().key}",
        json.dumps({"labels": labels, "datasets": datasets}),
        ("Hour", *series.values()),
        rows,
        total,
    )


def _channel(label: str) -> str:
    return label or "no channel"
