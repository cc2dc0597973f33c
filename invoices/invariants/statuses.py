"""The status that an invoice's facts imply, as SQL: the twin of balances.implied_status, which is compared with it."""

from __future__ import annotations

from datetime import datetime

from psycopg.types.json import Jsonb

from invoices.methods import all_methods
from kernel.invariants.registry import Look
from kernel.invariants.statements import look_by_sql

COUNT_INVOICES = "select count(*) from invoice"
# Of a row `invoice`; `first` names each method's first status. The strongest fact comes first.
IMPLIED_STATUS = """
case
    when invoice.charged_back_at is not null then 'CHARGEBACK'
    when invoice.cancelled_at is not null then 'CANCELLED'
    when invoice.deleted_at is not null then 'DELETED'
    when invoice.abandoned_at is not null then 'DELETE_ACCEPTED'
    when invoice.total > 0
        and invoice.refunded_amount + invoice.credited_amount + invoice.manual_amount + invoice.pending_amount
            >= invoice.total
        and not (invoice.bounced_at is not null and invoice.paid_amount < invoice.total)
    then case
        when invoice.pending_amount > 0 then 'REFUND_REQUESTED'
        when invoice.manual_amount > 0 then 'MANUALLY_REFUNDED'
        when invoice.credited_amount = invoice.total then 'CREDITED'
        when invoice.gl_changed_at is not null then 'GL_UPDATED_REFUND'
        else 'REFUNDED'
    end
    when invoice.paid_amount >= invoice.total and invoice.payment_date is not null
    then case when invoice.gl_changed_at is not null then 'GL_UPDATED' else 'PAID' end
    when invoice.overdue_at is not null then 'OVERDUE'
    when invoice.bounced_at is not null then 'SETTLEMENT_SCHED'
    when invoice.paid_amount > 0 then 'PARTIAL_PAID'
    when invoice.scheduled_at is not null then 'SETTLEMENT_SCHED'
    else %(first)s::jsonb ->> invoice.payment_method
end
"""
OTHER_STATUS = f"""
select invoice.id::text as id,
       'Invoice ' || invoice.id || ' (' || invoice.payment_method || ') is ' || invoice.status || '; its facts imply '
           || coalesce(implied.status, 'nothing, for nobody knows its method') || '.' as sentence,
       true as is_broken
from invoice
cross join lateral (select {IMPLIED_STATUS} as status) implied
where implied.status is distinct from invoice.status
"""  # noqa: S608 - our own text
# It is final when, and only while, live receipts cover all of it (domain.md 2.4).
OTHER_PAYMENT_DATE = """
select invoice.id::text as id,
       'Invoice ' || invoice.id || ' is paid with ' || invoice.paid_amount || ' of ' || invoice.total || ', and '
           || coalesce('its payment date is ' || invoice.payment_date, 'has no payment date') || '.' as sentence,
       true as is_broken
from invoice
where (invoice.payment_date is not null) <> (
    invoice.paid_amount >= invoice.total
    and (invoice.total > 0 or exists (select from receipt where receipt.invoice_id = invoice.id))
)
"""
SEVERAL_ACTIVE = """
select invoice_id::text as id,
       'Invoice ' || invoice_id || ' has ' || count(*) || ' numbers that are ACTIVE, ' || min(invoice_number)
           || ' and ' || max(invoice_number) || ' among them.' as sentence,
       true as is_broken
from invoice_reference
where status = 'ACTIVE'
group by invoice_id
having count(*) > 1
"""
ACTIVE_FOR_NOTHING = """
select invoice.id::text as id,
       'Invoice ' || invoice.id || ' is ' || invoice.status || ', and its number ' || reference.invoice_number
           || ' still waits for money.' as sentence,
       true as is_broken
from invoice_reference reference
join invoice on invoice.id = reference.invoice_id
where reference.status = 'ACTIVE'
    and (invoice.payment_date is not null or invoice.status in ('CANCELLED', 'DELETED'))
"""


def first_statuses() -> Jsonb:
    """Each registered method's first status, as IMPLIED_STATUS takes them."""
    return Jsonb({method.code: method.first_status.value for method in all_methods()})


def statuses_follow_facts(at: datetime) -> Look:
    return look_by_sql(COUNT_INVOICES, [OTHER_STATUS, OTHER_PAYMENT_DATE], {"first": first_statuses()})


def numbers_are_active_once(at: datetime) -> Look:
    return look_by_sql("select count(*) from invoice_reference", [SEVERAL_ACTIVE, ACTIVE_FOR_NOTHING])
