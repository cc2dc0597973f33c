"""Percentiles from a histogram's buckets: an estimate, and the bounds between which the true value certainly lies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A percentile. `value` is interpolated; the observation itself lies above `lower` and not above `upper`.

    Past the last finite bound nothing is known but that: upper is infinite then, and value is that bound.
    """

    value: float
    lower: float
    upper: float


def quantile(share: float, buckets: Mapping[float, float]) -> Estimate | None:
    """The value that `share` (0 to 1) of the observations do not exceed; None when there are none.

    `buckets` maps each upper bound, infinity among them, to the observations up to it, as Prometheus counts them.
    Interpolated evenly within the bucket, as Prometheus's histogram_quantile does; the first one begins at zero.
    """
    bounds = sorted(buckets)
    if not bounds or bounds[-1] != math.inf or buckets[math.inf] <= 0:
        return None
    rank = share * buckets[math.inf]
    lower, below = 0.0, 0.0
    for bound in bounds:
        # Counts of several processes are read one after the other: an upper bound may lag a moment behind.
        until = max(buckets[bound], below)
        if until >= rank and until > below:
            if bound == math.inf:
                return Estimate(lower, lower, math.inf)
            return Estimate(lower + (bound - lower) * (rank - below) / (until - below), lower, bound)
        lower, below = bound if bound != math.inf else lower, until
    return Estimate(lower, lower, math.inf)
