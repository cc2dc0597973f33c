"""What waits and how long it takes to drain, and how full caches, pool and database are: from the latest samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from console.cards import Card
from console.rates import Step, rate, total
from console.timecharts import rate_shown
from kernel.display import length
from kernel.jobs.models import JobRun
from kernel.measurements.series import parts_of
from kernel.outbox.models import OutboxEvent
from payments.models import PaymentStaging

COUNTED_UNTIL = 100_000
LAYERS = (("memory", "Memory of the web process"), ("redis", "Redis"), ("database", "Database"))
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Vital:
    """One line: what, how much, and what it means."""

    title: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Now:
    """The gauges of each source's latest sample, and by how much the counters grew in the last minutes."""

    latest: Sequence[Mapping[str, float]]
    recent: Step

    def highest(self, name: str, **wanted: str) -> float | None:
        """A gauge that every source tells alike, because the database told it."""
        values = self._values(name, wanted)
        return max(values) if values else None

    def summed(self, name: str, **wanted: str) -> float | None:
        """A gauge of which every source has its own part."""
        values = self._values(name, wanted)
        return sum(values) if values else None

    def _values(self, name: str, wanted: dict[str, str]) -> list[float]:
        return [
            value
            for gauges in self.latest
            for key, value in gauges.items()
            if parts_of(key)[0] == name and wanted.items() <= dict(parts_of(key)[1]).items()
        ]


def backlog_cards(now: Now) -> list[Card]:
    """What waits, and how long it takes at the rate of the last minutes."""
    staged = now.highest("paymentsite_staging_backlog_rows")
    events = now.highest("paymentsite_outbox_waiting_events")
    lag = now.highest("paymentsite_outbox_oldest_age_seconds")
    queued = _queued(now)
    staged_rate = rate("paymentsite_staged_rows_total", now.recent)
    event_rate = rate("paymentsite_events_published_total", now.recent, result="delivered")
    is_late = lag is not None and lag > 60
    relay = now.highest("paymentsite_relay_active")
    return [
        _backlog(
            "Staged rows waiting",
            staged,
            staged_rate,
            f"Taken in every {settings.STAGING_INTERVAL_SECONDS} s; the rate is that of the last five minutes.",
            PaymentStaging,
        ),
        _backlog(
            "Events waiting",
            events,
            event_rate,
            "Delivered by the relay; the rate is that of the last five minutes.",
            OutboxEvent,
        ),
        Card(
            "Relay lag",
            "–" if lag is None else length(timedelta(seconds=lag)),
            "plain" if lag is None else "bad" if relay == 0 else "attention" if is_late else "good",
            "Not measured" if lag is None else "No relay is at work" if relay == 0 else _late(is_late),
            "Age of the oldest event that the broker has not confirmed.",
            OutboxEvent,
        ),
        Card(
            "Jobs queued",
            "–" if queued is None else f"{queued:,.0f}",
            "plain" if queued is None else "attention" if queued > 10 else "good",
            "Not measured" if queued is None else "Many wait" if queued > 10 else "Taken up at once",
            "Job runs that no worker has begun.",
            JobRun,
            (("status__exact", "queued"),),
        ),
    ]


def cache_lines(steps: Iterable[Step]) -> list[Vital]:
    """How many of the references that each layer was asked for it knew."""
    whole = [growth for step in steps for growth in step]
    lines = []
    for layer, title in LAYERS:
        hits = total("paymentsite_reference_lookups_total", whole, layer=layer, result="hit")
        asked = hits + total("paymentsite_reference_lookups_total", whole, layer=layer, result="miss")
        value = f"{hits / asked:.1%}" if asked else "–"
        meaning = f"{hits:,.0f} of {asked:,.0f} references were known" if asked else _unasked(layer)
        lines.append(Vital(f"{title}: hit rate", value, meaning))
    return lines


def database_lines(now: Now) -> list[Vital]:
    """Pool, connections, size and oldest transaction; nothing before the first sample."""
    if not now.latest:
        return []
    pool = {state: now.summed("paymentsite_db_pool_connections", state=state) for state in ("open", "available", "max")}
    waiting = now.summed("paymentsite_db_pool_requests_waiting") or 0
    lines = []
    if pool["open"] is not None and pool["available"] is not None and pool["max"] is not None:
        used = pool["open"] - pool["available"]
        meaning = f"{pool['open']:,.0f} open; {waiting:,.0f} requests wait for one"
        lines.append(Vital("Pool of the web processes", f"{used:,.0f} of {pool['max']:,.0f} in use", meaning))
    connections, allowed = (now.highest("paymentsite_database_connections", state=state) for state in ("open", "max"))
    if connections is not None and allowed is not None:
        meaning = "Held by anybody: web, workers, relay, tools, other databases of the server"
        lines.append(Vital("Connections to the server", f"{connections:,.0f} of {allowed:,.0f}", meaning))
    size = now.highest("paymentsite_database_bytes")
    if size is not None:
        lines.append(Vital("Size of the database", f"{size / MEGABYTE:,.0f} MB", "Tables and indexes of everything"))
    oldest = now.highest("paymentsite_database_oldest_transaction_seconds")
    if oldest is not None:
        meaning = "One that stays open for minutes holds up cleaning and partitions"
        lines.append(Vital("Oldest transaction", length(timedelta(seconds=oldest)), meaning))
    return lines


def drain(waiting: float, rate_per_second: float) -> str:
    """How long it takes at the rate: `about 4 min 10 s at 40 a second`."""
    if not rate_per_second:
        return "nothing went out in the last five minutes"
    seconds = round(waiting / rate_per_second)
    least = "at least" if waiting >= COUNTED_UNTIL else "about"
    left = f"{least} {length(timedelta(seconds=seconds))}" if seconds else "less than a second"
    return f"{left} to drain at {rate_shown(rate_per_second)} a second"


def _backlog(title: str, waiting: float | None, outflow: float, meaning: str, kind: type) -> Card:
    if waiting is None:
        return Card(title, "–", "plain", "Not measured", meaning, kind)
    if not waiting:
        return Card(title, "0", "good", "Nothing waits", meaning, kind)
    shown = f"{waiting:,.0f}{'+' if waiting >= COUNTED_UNTIL else ''}"
    word = "Draining" if outflow else "Does not drain yet"
    return Card(title, shown, "good" if outflow else "attention", word, meaning, kind, more=(drain(waiting, outflow),))


def _queued(now: Now) -> float | None:
    """Over all jobs; every source tells the same, and one that tells of no job has none."""
    counts = [sum(value for key, value in gauges.items() if _is_of_queued_runs(key)) for gauges in now.latest]
    return max(counts) if counts else None


def _is_of_queued_runs(key: str) -> bool:
    name, labels = parts_of(key)
    return name == "paymentsite_job_runs" and ("status", "queued") in labels


def _late(is_late: bool) -> str:
    return "Delivery is behind" if is_late else "In time"


def _unasked(layer: str) -> str:
    if layer == "redis" and not settings.ENABLE_REDIS_CACHE:
        return "Off (ENABLE_REDIS_CACHE)"
    if layer == "memory" and not settings.ENABLE_MEMORY_CACHE:
        return "Off (ENABLE_MEMORY_CACHE)"
    return "Nothing was asked of it in this time"
