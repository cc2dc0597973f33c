"""How counters are stored: each by its key, and a histogram's buckets together, because they are many and go together.

`{"a_total": 3, "s_bucket{\\"channel\\": \\"c\\"}": {"le": ["0.1", "+Inf"], "n": [2, 5]}}`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from kernel.measurements.series import BUCKET_LABEL, key_of, parts_of

# Each value is a number, or the bounds and the counts of one histogram's buckets.
Packed = Mapping[str, Any]
BOUNDS, COUNTS = "le", "n"


def packed(counters: Mapping[str, float]) -> dict[str, Any]:
    """Counters as they are stored."""
    found: dict[str, Any] = {}
    buckets: dict[str, dict[str, float]] = defaultdict(dict)
    for key, growth in counters.items():
        name, labels = parts_of(key)
        others = {label: value for label, value in labels if label != BUCKET_LABEL}
        if len(others) == len(labels):
            found[key] = growth
        else:
            buckets[key_of(name, others)][dict(labels)[BUCKET_LABEL]] = growth
    for key, counts in buckets.items():
        bounds = sorted(counts, key=float)
        found[key] = {BOUNDS: bounds, COUNTS: [counts[bound] for bound in bounds]}
    return found


def unpacked(stored: Packed) -> dict[str, float]:
    """Counters as Prometheus tells them, one key a bucket."""
    counters: dict[str, float] = {}
    for key, value in stored.items():
        if not isinstance(value, Mapping):
            counters[key] = value
            continue
        name, labels = parts_of(key)
        for bound, count in zip(value[BOUNDS], value[COUNTS], strict=True):
            counters[key_of(name, {**dict(labels), BUCKET_LABEL: bound})] = count
    return counters
