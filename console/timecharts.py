"""Charts over time from our own measurements: rates as stacked bars, percentiles as lines; each also as a table.

The table leaves out what was not measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from console.charts import COLOURS, OPTIONS, TEXT_COLOUR, Chart
from console.rates import Step, buckets_by, percentiles, rates_by
from kernel.calendar import ledger_zone
from kernel.measurements.quantiles import Estimate

NOT_MEASURED = "–"
# Told apart without colours too: by how they are drawn.
LINES: tuple[tuple[str, list[int]], ...] = (("p50", []), ("p95", [6, 3]), ("p99", [2, 2]))


def _options(unit: str, *, stacked: bool) -> str:
    options: dict[str, Any] = json.loads(OPTIONS)
    options["datasets"] |= {"line": {"pointRadius": 0, "pointHitRadius": 8, "borderWidth": 2}}
    options["scales"]["x"] |= {"stacked": stacked}
    options["scales"]["x"]["ticks"] |= {"maxTicksLimit": 9}
    options["scales"]["y"] |= {
        "stacked": stacked,
        "title": {"display": True, "text": unit, "color": TEXT_COLOUR},
    }
    options["scales"]["y"]["ticks"].pop("precision", None)
    return json.dumps(options)


def rate_chart(title: str, unit: str, name: str, label: str, steps: Sequence[Step], ends: Sequence[datetime]) -> Chart:
    """How many a second by one label of a counter. A step in which nobody measured stays empty."""
    found = [rates_by(label, name, step) if step else None for step in steps]
    series = sorted({value for rates in found if rates for value in rates}, key=lambda value: -_sum(found, value))
    datasets = [
        {
            "label": value or "all",
            "data": [None if rates is None else round(rates.get(value, 0.0), 3) for rates in found],
            "backgroundColor": COLOURS[place % len(COLOURS)],
        }
        for place, value in enumerate(series)
    ]
    rows = [
        [_moment(end), *(rate_shown(rates.get(value, 0.0)) for value in series)]
        for end, rates in zip(ends, found, strict=True)
        if rates is not None
    ]
    highest = max((sum(rates.values()) for rates in found if rates), default=0.0)
    return Chart(
        title,
        f"at most {rate_shown(highest)} {unit}, {ledger_zone().key}" if series else unit,
        _value(datasets, ends),
        ("Until", *(value or "all" for value in series)),
        rows[::-1],
        len(series),
        options=_options(unit, stacked=True),
        empty=EMPTY,
    )


def latency_chart(title: str, name: str, steps: Sequence[Step], ends: Sequence[datetime]) -> Chart:
    """p50, p95 and p99 of a histogram, in milliseconds; the table has the bounds between which each certainly lies."""
    found = [percentiles(buckets_by((), name, step).get((), {})) for step in steps]
    datasets = [
        {
            "label": label,
            "data": [None if step[place] is None else round(_value_of(step[place]) * 1000, 2) for step in found],
            "borderColor": COLOURS[place],
            # In the legend as it is drawn.
            "backgroundColor": "transparent",
            "borderDash": dash,
            # A step without neighbours would be a line without length.
            "pointRadius": 2 if _is_lonely([step[place] for step in found]) else 0,
        }
        for place, (label, dash) in enumerate(LINES)
    ]
    rows = [
        [_moment(end), *(estimate_shown(estimate) for estimate in step)]
        for end, step in zip(ends, found, strict=True)
        if any(estimate is not None for estimate in step)
    ]
    has_any = any(estimate is not None for step in found for estimate in step)
    return Chart(
        title,
        f"milliseconds, {ledger_zone().key}",
        _value(datasets, ends),
        ("Until", *(label for label, _ in LINES)),
        rows[::-1],
        int(has_any),
        options=_options("ms", stacked=False),
        kind="line",
        empty=EMPTY,
    )


EMPTY = "Nothing of this kind happened in this time. Figures appear here within half a minute of the first one."


def rate_shown(rate: float) -> str:
    """12, 3.4, 0.02: as many digits as say something."""
    if rate == 0 or rate >= 10:
        return f"{rate:,.0f}"
    if rate < 0.01:
        return "below 0.01"
    return f"{rate:.1f}" if rate >= 1 else f"{rate:.2g}"


def seconds_shown(seconds: float) -> str:
    """3.2 ms, 45 ms, 1.5 s."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:,.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"


def estimate_shown(estimate: Estimate | None) -> str:
    """A percentile with its bounds: `3.2 ms (2 to 5 ms)`; past the last bound only that it is above."""
    if estimate is None:
        return NOT_MEASURED
    if math.isinf(estimate.upper):
        return f"above {seconds_shown(estimate.lower)}"
    upper = seconds_shown(estimate.upper)
    lower = seconds_shown(estimate.lower).removesuffix(upper[upper.index(" ") :])
    return f"{seconds_shown(estimate.value)} ({lower} to {upper})"


def _value(datasets: Sequence[Mapping[str, Any]], ends: Sequence[datetime]) -> str:
    labels = [f"{end.astimezone(ledger_zone()):%H:%M}" for end in ends]
    return json.dumps({"labels": labels, "datasets": datasets})


def _value_of(estimate: Estimate | None) -> float:
    return 0.0 if estimate is None else estimate.value


def _is_lonely(line: Sequence[Estimate | None]) -> bool:
    return any(
        estimate is not None
        and all(neighbour is None for neighbour in (*line[max(place - 1, 0) : place], *line[place + 1 : place + 2]))
        for place, estimate in enumerate(line)
    )


def _moment(end: datetime) -> str:
    return f"{end.astimezone(ledger_zone()):%a %H:%M %Z}"


def _sum(found: Sequence[Mapping[str, float] | None], value: str) -> float:
    return sum(rates.get(value, 0.0) for rates in found if rates)
