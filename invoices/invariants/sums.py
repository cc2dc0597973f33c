"""The sums that rows keep of other rows: of receipts, refunds, lines and applications of credits."""

from __future__ import annotations

from datetime import datetime

from invoices.models import FEE_COLUMNS
from invoices.states import LIVE_REFUNDS
from kernel.invariants.registry import Look
from kernel.invariants.statements import look_by_sql

COUNT_INVOICES = "select count(*) from invoice"
LIVE_RECEIPTS = """
    select receipt.* from receipt
    where receipt.reverses_id is null
        and not exists (select from receipt reversal where reversal.reverses_id = receipt.id)
"""
PAID_OTHERWISE = f"""
select invoice.id::text as id,
       'Invoice ' || invoice.id || ' says that ' || invoice.paid_amount || ' is paid; its live receipts are of '
           || coalesce(live.amount, 0) || '.' as sentence,
       true as is_broken
from invoice
left join (select invoice_id, sum(amount) as amount from ({LIVE_RECEIPTS}) live group by invoice_id) live
    on live.invoice_id = invoice.id
where invoice.paid_amount <> coalesce(live.amount, 0)
"""  # noqa: S608 - our own text
REVERSED_OTHERWISE = """
select receipt.id::text as id,
       'Receipt ' || receipt.id || ' takes ' || receipt.amount || ' off invoice ' || receipt.invoice_id
           || '; what it reverses is ' || reversed.amount || ' of invoice ' || reversed.invoice_id || '.' as sentence,
       true as is_broken
from receipt
join receipt reversed on reversed.id = receipt.reverses_id
where (receipt.amount, receipt.invoice_id) <> (reversed.amount, reversed.invoice_id)
    or reversed.reverses_id is not null
"""
REFUNDED_OTHERWISE = """
select invoice.id::text as id,
       'Invoice ' || invoice.id || ' says that ' || array_to_string(said.amounts, ' / ')
           || ' is refunded / credited / refunded outside / under way; its refunds are of '
           || array_to_string(found.amounts, ' / ') || '.' as sentence,
       true as is_broken
from invoice
left join (
    select invoice_id,
        sum(amount) filter (where status = 'PROCESSED' and outcome = 'MONEY_BACK') as refunded,
        sum(amount) filter (where status = 'PROCESSED' and outcome = 'CREDIT') as credited,
        sum(amount) filter (where status = 'PROCESSED' and outcome = 'MANUAL') as manual,
        sum(amount) filter (where status = 'PROCESSING') as pending
    from refund
    group by invoice_id
) refunds on refunds.invoice_id = invoice.id
cross join lateral (
    select array[invoice.refunded_amount, invoice.credited_amount, invoice.manual_amount, invoice.pending_amount]
        as amounts
) said
cross join lateral (
    select array[
        coalesce(refunds.refunded, 0), coalesce(refunds.credited, 0), coalesce(refunds.manual, 0),
        coalesce(refunds.pending, 0)
    ] as amounts
) found
where said.amounts <> found.amounts
"""
TOTAL_OTHERWISE = """
select invoice.id::text as id,
       'Invoice ' || invoice.id || ' is of ' || invoice.total || ' (service ' || invoice.service_fees || ', GST '
           || invoice.gst || '); its lines make ' || coalesce(lines.total, 0) || ' ('
           || coalesce(lines.service_fees, 0) || ', ' || coalesce(lines.gst, 0) || ').' as sentence,
       true as is_broken
from invoice
left join (
    select invoice_id,
        sum(total + service_fees + statutory_gst + service_gst + pst) as total,
        sum(service_fees) as service_fees,
        sum(statutory_gst + service_gst) as gst
    from invoice_line
    group by invoice_id
) lines on lines.invoice_id = invoice.id
where (invoice.total, invoice.service_fees, invoice.gst)
    <> (coalesce(lines.total, 0), coalesce(lines.service_fees, 0), coalesce(lines.gst, 0))
"""
LIVE = ", ".join(f"'{status.value}'" for status in sorted(LIVE_REFUNDS))
PARTS = ", ".join(f"('{fee_type.value}', line.undone_{column})" for fee_type, column in FEE_COLUMNS.items())
# Only what is held is compared: of most lines nothing is.
HELD_OTHERWISE = f"""
select coalesce(held.line_id, live.line_id)::text as id,
       'Line ' || coalesce(held.line_id, live.line_id) || ' holds ' || coalesce(held.amount, 0) || ' of its '
           || coalesce(held.fee_type, live.fee_type) || ' for refunds; live refunds take '
           || coalesce(live.amount, 0) || ' of it.' as sentence,
       true as is_broken
from (
    select line.id as line_id, part.fee_type, part.amount
    from invoice_line line
    cross join lateral (values {PARTS}) part (fee_type, amount)
    where part.amount <> 0
) held
full join (
    select refund_line.line_id, refund_line.fee_type, sum(refund_line.amount) as amount
    from refund_line
    join refund on refund.id = refund_line.refund_id
    where refund.status in ({LIVE})
    group by refund_line.line_id, refund_line.fee_type
) live on live.line_id = held.line_id and live.fee_type = held.fee_type
where held.amount is distinct from live.amount
"""  # noqa: S608 - our own text
REFUND_OTHERWISE = """
select refund.id::text as id,
       'Refund ' || refund.id || ' is of ' || refund.amount || '; its lines make ' || coalesce(lines.amount, 0) || '.'
           as sentence,
       true as is_broken
from refund
left join (
    select refund_line.refund_id, sum(refund_line.amount) as amount,
        bool_and(line.invoice_id = refund.invoice_id) as are_its_own
    from refund_line
    join invoice_line line on line.id = refund_line.line_id
    join refund on refund.id = refund_line.refund_id
    group by refund_line.refund_id
) lines on lines.refund_id = refund.id
where refund.amount <> coalesce(lines.amount, 0) or not lines.are_its_own
"""
APPLIED_OTHERWISE = """
select credit.id::text as id,
       'Credit ' || credit.id || ' says that ' || credit.applied_amount || ' of it is applied; its live applications '
           || 'are of ' || coalesce(live.amount, 0) || '.' as sentence,
       true as is_broken
from credit
left join (
    select application.credit_id, sum(application.amount) as amount
    from credit_application application
    where application.reverses_id is null
        and not exists (select from credit_application reversal where reversal.reverses_id = application.id)
    group by application.credit_id
) live on live.credit_id = credit.id
where credit.applied_amount <> coalesce(live.amount, 0)
"""
# Money is neither lost nor made where it becomes a credit, or a credit pays.
CREDIT_FROM_NOWHERE = """
select credit.id::text as id,
       'Credit ' || credit.id || ' is of ' || credit.amount || '; what it comes from is of '
           || coalesce(receipt.excess, refund.amount, 0) || '.' as sentence,
       true as is_broken
from credit
left join receipt on receipt.id = credit.receipt_id
left join refund on refund.credit_id = credit.id
where credit.source_invoice_id is not null
    and credit.amount is distinct from coalesce(receipt.excess, refund.amount)
"""
EXCESS_LOST = """
select receipt.id::text as id,
       'Of receipt ' || receipt.id || ', ' || receipt.excess || ' was too much, and no credit holds it.' as sentence,
       true as is_broken
from receipt
where receipt.excess > 0 and not exists (select from credit where credit.receipt_id = receipt.id)
"""
REFUND_WITHOUT_CREDIT = """
select refund.id::text as id,
       'Refund ' || refund.id || ' became a credit, which is not there.' as sentence,
       true as is_broken
from refund
where refund.status = 'PROCESSED' and refund.outcome = 'CREDIT' and refund.credit_id is null
"""
PAYS_OTHERWISE = """
select application.id::text as id,
       'Application ' || application.id || ' takes ' || application.amount || ' of a credit; its receipt is of '
           || receipt.amount || ' on invoice ' || receipt.invoice_id || '.' as sentence,
       true as is_broken
from credit_application application
join receipt on receipt.id = application.receipt_id
where (application.amount, application.invoice_id) <> (receipt.amount, receipt.invoice_id)
"""


def paid_is_what_receipts_say(at: datetime) -> Look:
    return look_by_sql(COUNT_INVOICES, [PAID_OTHERWISE, REVERSED_OTHERWISE])


def refunded_is_what_refunds_say(at: datetime) -> Look:
    return look_by_sql(COUNT_INVOICES, [REFUNDED_OTHERWISE, REFUND_OTHERWISE])


def held_is_what_refunds_take(at: datetime) -> Look:
    return look_by_sql("select count(*) from invoice_line", [HELD_OTHERWISE])


def totals_are_their_lines(at: datetime) -> Look:
    return look_by_sql(COUNT_INVOICES, [TOTAL_OTHERWISE])


def credits_add_up(at: datetime) -> Look:
    wrong = [APPLIED_OTHERWISE, CREDIT_FROM_NOWHERE, EXCESS_LOST, REFUND_WITHOUT_CREDIT, PAYS_OTHERWISE]
    return look_by_sql("select count(*) from credit", wrong)
