"""What the relay counts."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

EVENTS_PUBLISHED = Counter(
    "paymentsite_events_published_total",
    "Events that Kafka confirmed (delivered) or refused (failed, tried again later)",
    ["result"],
)
EVENT_PUBLISH_SECONDS = Histogram(
    "paymentsite_event_publish_seconds",
    "Seconds from an event's commit to Kafka's confirmation",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
RELAY_OUTAGES = Counter("paymentsite_event_relay_outages_total", "Batches that Kafka did not confirm in time")
EVENTS_DELIVERED = EVENTS_PUBLISHED.labels(result="delivered")
EVENTS_FAILED = EVENTS_PUBLISHED.labels(result="failed")
