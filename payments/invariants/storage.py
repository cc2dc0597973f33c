"""Where payments lie: months ahead, nothing outside its month, and receipts that point at what is there."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from kernel.invariants.registry import Breach, Look
from kernel.invariants.statements import look_by_sql
from payments.invariants.archives import ARCHIVED_MONTHS
from payments.partitioning import PAYMENT_PARTITIONS, month_of

COUNT_CREATED = "select count(*) from webhook_receipt where outcome = 'created'"
WITHOUT_PAYMENT = f"""
select receipt.id::text as id,
       'Receipt ' || receipt.id || ' (' || receipt.channel_slug || ', ' || receipt.reference_number
           || ') says that it created payment ' || coalesce(receipt.payment_id::text, 'none') || ', which is not there.'
           as sentence,
       true as is_broken
from webhook_receipt receipt
where receipt.outcome = 'created'
    and not exists (
        select from payments payment
        where payment.id = receipt.payment_id and payment.payment_date = receipt.payment_date
    )
    and not exists (select from ({ARCHIVED_MONTHS}) archived where receipt.payment_date <@ archived.month)
"""  # noqa: S608 - our own text
COUNT_STRAY = "select count(*) from payments_default"
STRAY = """
select id::text as id,
       'Payment ' || id || ' of ' || payment_date || ' lies in the default partition.' as sentence,
       true as is_broken
from payments_default
"""


def receipts_point_at_payments(at: datetime) -> Look:
    return look_by_sql(COUNT_CREATED, [WITHOUT_PAYMENT])


def months_are_prepared(at: datetime) -> Look:
    """Last month, this one and those ahead."""
    wanted = list(month_of(at).previous().ahead(settings.PARTITION_MONTHS_AHEAD + 2))
    existing = set(PAYMENT_PARTITIONS.months())
    missing = [month for month in wanted if month not in existing]
    breaches = tuple(Breach(month.label, f"The month {month.label} has no partition.") for month in missing)
    return Look(len(wanted), len(missing), breaches)


def default_partition_is_empty(at: datetime) -> Look:
    return look_by_sql(COUNT_STRAY, [STRAY])
