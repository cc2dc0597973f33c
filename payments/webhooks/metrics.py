"""What the webhooks count. Only known channels are a label: a name that a stranger made up is `unknown`."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter, Histogram

UNKNOWN_CHANNEL = "unknown"

WEBHOOKS = Counter("paymentsite_webhooks_total", "Webhook requests by channel and outcome", ["channel", "outcome"])
WEBHOOK_SECONDS = Histogram(
    "paymentsite_webhook_seconds",
    "Seconds from a webhook's arrival to its answer",
    ["channel", "outcome"],
    buckets=(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


def observe(channel: str, outcome: str, seconds: float) -> None:
    """Counts one answered request."""
    counter, histogram = _children(channel, outcome)
    counter.inc()
    histogram.observe(seconds)


@lru_cache(maxsize=1024)
def _children(channel: str, outcome: str) -> tuple[Counter, Histogram]:
    return WEBHOOKS.labels(channel, outcome), WEBHOOK_SECONDS.labels(channel, outcome)
