"""Fills the memory with the newest references before the first request comes."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from payments.deduplication.layers import recent
from payments.deduplication.memory import KnownReference, fingerprint_of

logger = logging.getLogger(__name__)

# The newest references by the index on created_at, then one payment each by primary key in one partition. Oldest of
# them first, so that the newest is the last to be pushed out.
NEWEST = """
with newest as materialized (
    select reference_number, payment_id, payment_date, created_at
    from (
        (
            select * from payment_references
            where created_at > %(since)s::timestamptz order by created_at desc limit %(size)s
        )
        union all
        (
            select * from payment_references_previous
            where created_at > %(since)s::timestamptz order by created_at desc limit %(size)s
        )
    ) generations
    order by created_at desc
    limit %(size)s
)
select
    newest.reference_number, payment.id, payment.loan_account_number, payment.cif, payment.amount, payment.currency,
    payment.payment_date
from newest
join payments payment on payment.id = newest.payment_id and payment.payment_date = newest.payment_date
order by newest.created_at
"""

_is_warm = False


def warm_caches(at: datetime) -> int:
    """Loads the newest references of REFERENCE_CACHE_TTL_DAYS, as many as the memory holds; gives how many.

    Safe to call again at any time. Does nothing but say that it is warm when ENABLE_MEMORY_CACHE is off.
    """
    global _is_warm
    loaded = _load(at) if settings.ENABLE_MEMORY_CACHE else 0
    _is_warm = True
    logger.info("Reference memory is warm", extra={"action": "warm_caches", "reference_count": loaded})
    return loaded


def is_warm() -> bool:
    """True once this process has warmed its caches: what the start-up probe asks."""
    return _is_warm


def _load(at: datetime) -> int:
    size = settings.MEMORY_CACHE_MAX_SIZE
    since = at - timedelta(days=settings.REFERENCE_CACHE_TTL_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, {"since": since, "size": size})
        rows = cursor.fetchall()
    for reference_number, payment_id, *identity in rows:
        account, cif, amount, currency, paid_at = identity
        known = KnownReference(payment_id, paid_at, fingerprint_of((account, cif, amount, currency, paid_at)))
        recent.put(reference_number, known, max_size=size)
    return len(rows)
