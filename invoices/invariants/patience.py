"""What waits for the outside, and for how long it may."""

from __future__ import annotations

from datetime import datetime, timedelta

from kernel.invariants.registry import Look
from kernel.invariants.statements import look_by_sql

# A debit is given up after a quarter of an hour, a refund asked again every hour: longer, and nobody is asking.
DEBIT_KNOWN_WITHIN = timedelta(hours=1)
REFUND_KNOWN_WITHIN = timedelta(days=1)

COUNT_OPEN = "select count(*) from outside_call where status in ('PENDING', 'SENT', 'UNKNOWN')"
FORGOTTEN = """
select call.id::text as id,
       'Call ' || call.id || ' (' || call.kind || ') of invoice ' || call.invoice_id || ' is ' || call.status
           || ' since ' || call.created_at || ', after ' || call.attempts || ' attempts.' as sentence,
       true as is_broken
from outside_call call
where call.status in ('PENDING', 'SENT', 'UNKNOWN')
    and call.created_at < case call.kind when 'PREPAID_DEBIT' then %(debit)s else %(refund)s end::timestamptz
"""


def calls_are_not_forgotten(at: datetime) -> Look:
    limits = {"debit": at - DEBIT_KNOWN_WITHIN, "refund": at - REFUND_KNOWN_WITHIN}
    return look_by_sql(COUNT_OPEN, [FORGOTTEN], limits)
