"""Memory, then Redis, each behind its flag; hits and misses are counted for each layer."""

from __future__ import annotations

from django.conf import settings
from prometheus_client import Counter

from payments.deduplication import shared
from payments.deduplication.memory import KnownReference, RecentReferences, fingerprint_of
from payments.notices import PaymentNotice

LOOKUPS = Counter(
    "paymentsite_reference_lookups_total",
    "References asked for, by layer; a hit of memory or Redis spares the database",
    ["layer", "result"],
)
MEMORY_HIT, MEMORY_MISS, REDIS_HIT, REDIS_MISS, DATABASE_HIT, DATABASE_MISS = (
    LOOKUPS.labels(layer=layer, result=result)
    for layer in ("memory", "redis", "database")
    for result in ("hit", "miss")
)

recent = RecentReferences()


def find_known(notice: PaymentNotice) -> KnownReference | None:
    """The payment that this notice certainly repeats; None means that only the database can tell.

    A known reference with another content gives None too: the database words the difference.
    """
    known = _find(notice.reference_number)
    if known is not None and known.fingerprint == fingerprint_of(notice.identity):
        return known
    return None


def remember(notice: PaymentNotice, known: KnownReference) -> None:
    """Call after the payment has committed, and never before."""
    if settings.ENABLE_MEMORY_CACHE:
        recent.put(notice.reference_number, known, max_size=settings.MEMORY_CACHE_MAX_SIZE)
    if settings.ENABLE_REDIS_CACHE:
        shared.put(notice.reference_number, known)


def count_database(*, is_known: bool) -> None:
    (DATABASE_HIT if is_known else DATABASE_MISS).inc()


def forget_all() -> None:
    """Empties this process's memory; Redis is left to its own expiry."""
    recent.clear()


def _find(reference_number: str) -> KnownReference | None:
    if settings.ENABLE_MEMORY_CACHE:
        known = recent.get(reference_number)
        (MEMORY_MISS if known is None else MEMORY_HIT).inc()
        if known is not None:
            return known
    if settings.ENABLE_REDIS_CACHE:
        known = shared.get(reference_number)
        (REDIS_MISS if known is None else REDIS_HIT).inc()
        if known is not None and settings.ENABLE_MEMORY_CACHE:
            recent.put(reference_number, known, max_size=settings.MEMORY_CACHE_MAX_SIZE)
        return known
    return None
