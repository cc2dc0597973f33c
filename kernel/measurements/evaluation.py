"""What an alert's expression says over our own readings, in the way of Prometheus.

Two differences: growth within a range is not extrapolated to its ends, and a counter that stood still throughout the
range is absent where Prometheus has it at zero. Rules that ask whether something is above a limit do not notice.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from kernel.measurements.promql import Aggregation, Call, Expression, NotOurPromql, Number, Operation, Selector
from kernel.measurements.quantiles import quantile
from kernel.measurements.series import BUCKET_LABEL, Labels, Reading, parts_of

# As Prometheus: what a source said longer ago than this is not what it says now.
LOOKBACK = timedelta(minutes=5)
SOURCE_LABEL = "instance"
Vector = dict[Labels, float]

COMBINATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {"sum": sum, "max": max, "min": min, "count": len}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
}
ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else math.nan,
}


def evaluate(expression: Expression, readings: Sequence[Reading], *, at: datetime) -> Vector:
    """The series for which the expression holds at the instant, with their values; a bare number has no labels.

    Readings may be of several sources, each named by the label `instance`, in the order of their instants.
    """
    match expression:
        case Number(value=value):
            return {(): value}
        case Selector(range_seconds=None):
            return _values(expression, readings, at)
        case Selector():
            return _growth(expression, readings, at)
        case Aggregation(operator=operator, by=by, operand=operand):
            return _combined(operator, by, evaluate(operand, readings, at=at))
        case Call():
            return _called(expression, readings, at)
    left, right = (evaluate(side, readings, at=at) for side in (expression.left, expression.right))
    return _joined(expression, left, right)


def _values(selector: Selector, readings: Sequence[Reading], at: datetime) -> Vector:
    latest = {reading.source: reading for reading in readings if at - LOOKBACK < reading.at <= at}
    return {
        _labelled(labels, source): value
        for source, reading in latest.items()
        for labels, value in _selected(selector, reading.gauges)
    }


def _growth(selector: Selector, readings: Sequence[Reading], at: datetime) -> Vector:
    since = at - timedelta(seconds=selector.range_seconds or 0)
    grown: Vector = defaultdict(float)
    for reading in readings:
        if since < reading.at <= at:
            for labels, growth in _selected(selector, reading.counters):
                grown[_labelled(labels, reading.source)] += growth
    return dict(grown)


def _called(call: Call, readings: Sequence[Reading], at: datetime) -> Vector:
    if call.function == "histogram_quantile":
        share, buckets = call.arguments
        if not isinstance(share, Number):
            raise NotOurPromql("The first argument of histogram_quantile() is a number.")
        return _quantiles(share.value, evaluate(buckets, readings, at=at))
    (operand,) = call.arguments
    if call.function == "absent":
        return {} if evaluate(operand, readings, at=at) else {(): 1.0}
    if not isinstance(operand, Selector) or operand.range_seconds is None:
        raise NotOurPromql(f"{call.function}() takes series with a range.")
    grown = _growth(operand, readings, at)
    if call.function == "increase":
        return grown
    lengths = _lengths(readings, since=at - timedelta(seconds=operand.range_seconds), until=at)
    return {labels: growth / lengths[dict(labels)[SOURCE_LABEL]] for labels, growth in grown.items()}


def _lengths(readings: Sequence[Reading], *, since: datetime, until: datetime) -> Mapping[str, float]:
    lengths: dict[str, float] = defaultdict(float)
    for reading in readings:
        if since < reading.at <= until:
            lengths[reading.source] += reading.seconds
    return lengths


def _quantiles(share: float, vector: Vector) -> Vector:
    histograms: dict[Labels, dict[float, float]] = defaultdict(dict)
    for labels, count in vector.items():
        bound = dict(labels).get(BUCKET_LABEL)
        if bound is not None:
            histograms[tuple(label for label in labels if label[0] != BUCKET_LABEL)][float(bound)] = count
    found = {labels: quantile(share, buckets) for labels, buckets in histograms.items()}
    return {labels: estimate.value for labels, estimate in found.items() if estimate is not None}


def _combined(operator: str, by: Sequence[str], vector: Vector) -> Vector:
    groups: dict[Labels, list[float]] = defaultdict(list)
    for labels, value in vector.items():
        groups[tuple(label for label in labels if label[0] in by)].append(value)
    return {labels: float(COMBINATIONS[operator](values)) for labels, values in groups.items()}


def _joined(operation: Operation, left: Vector, right: Vector) -> Vector:
    if operation.operator == "or":
        return {**right, **left}
    if operation.operator == "and":
        return {labels: value for labels, value in left.items() if labels in right}
    if isinstance(operation.right, Number):
        pairs = {labels: (value, operation.right.value) for labels, value in left.items()}
    elif isinstance(operation.left, Number):
        pairs = {labels: (operation.left.value, value) for labels, value in right.items()}
    else:
        pairs = {labels: (value, right[labels]) for labels, value in left.items() if labels in right}
    if operation.operator in COMPARISONS:
        holds = COMPARISONS[operation.operator]
        kept = {labels: pair for labels, pair in pairs.items() if holds(*pair)}
        # A comparison gives the series' value, on whichever side of the number it stands.
        side = 1 if isinstance(operation.left, Number) and not isinstance(operation.right, Number) else 0
        return {labels: pair[side] for labels, pair in kept.items()}
    return {labels: ARITHMETIC[operation.operator](*pair) for labels, pair in pairs.items()}


def _selected(selector: Selector, found: Mapping[str, float]) -> list[tuple[Labels, float]]:
    chosen = []
    for key, value in found.items():
        if key.startswith(selector.name):
            name, labels = parts_of(key)
            if name == selector.name and set(selector.labels) <= set(labels):
                chosen.append((labels, value))
    return chosen


def _labelled(labels: Labels, source: str) -> Labels:
    return tuple(sorted((*labels, (SOURCE_LABEL, source))))
