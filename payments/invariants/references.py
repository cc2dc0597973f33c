"""Payments and their references: one of the other, each once, whether attached or archived."""

from __future__ import annotations

from datetime import datetime

from kernel.invariants.registry import Look
from kernel.invariants.statements import look_by_sql
from payments.invariants.archives import ARCHIVED_MONTHS

# The gate, its earlier generation, and what was pruned from both for good. Only the last may outlive its payment.
REFERENCES = """
    select reference_number, payment_id, payment_date, false as may_be_archived from payment_references
    union all
    select reference_number, payment_id, payment_date, false from payment_references_previous
    union all
    select reference_number, payment_id, payment_date, true from payment_references_history history
    -- On its way from the earlier generation to the history a reference stands in both.
    where not exists (
        select from payment_references_previous previous
        where previous.reference_number = history.reference_number and previous.payment_id = history.payment_id
    )
"""
COUNT_PAYMENTS = "select count(*) from payments"
COUNT_REFERENCES = f"select count(*) from ({REFERENCES}) reference"  # noqa: S608 - our own text

# One hash join over both sides, so that each is read once.
UNMATCHED = f"""
select coalesce(payment.id, reference.payment_id)::text as id,
       case
           when reference.payment_id is null then
               'Payment ' || payment.id || ' (' || payment.reference_number || ') has no reference that points at it.'
           when payment.id is null then
               'Reference ' || reference.reference_number || ' points at payment ' || reference.payment_id || ' of '
               || reference.payment_date || ', which is not there.'
           else 'Payment ' || payment.id || ' says ' || payment.reference_number || ', its reference '
               || reference.reference_number || '.'
       end as sentence,
       true as is_broken
from payments payment
full join ({REFERENCES}) reference
    on reference.payment_id = payment.id and reference.payment_date = payment.payment_date
where (reference.payment_id is null or payment.id is null or reference.reference_number <> payment.reference_number)
    and not (
        payment.id is null and reference.may_be_archived
        and exists (select from ({ARCHIVED_MONTHS}) archived where reference.payment_date <@ archived.month)
    )
"""  # noqa: S608
SHARED = f"""
select payment_id::text as id,
       'Payment ' || payment_id || ' has ' || count(*) || ' references, '
           || min(reference_number) || ' and ' || max(reference_number) || ' among them.' as sentence,
       true as is_broken
from ({REFERENCES}) reference
group by payment_id
having count(*) > 1
"""  # noqa: S608

REPEATED_REFERENCE = f"""
select reference_number as id,
       'Reference ' || reference_number || ' stands ' || count(*) || ' times in the tables of references.' as sentence,
       true as is_broken
from ({REFERENCES}) reference
group by reference_number
having count(*) > 1
"""  # noqa: S608
REPEATED_PAYMENT = """
select reference_number as id,
       count(*) || ' payments have the reference ' || reference_number || ', ' || min(id::text) || ' and '
           || max(id::text) || ' among them.' as sentence,
       true as is_broken
from payments
group by reference_number
having count(*) > 1
"""

ARCHIVE_COUNTS = f"""
select archived.label as id,
       'The archive of ' || archived.label || ' holds ' || coalesce(archived.rows::text, 'not yet counted')
           || ' payments, and ' || coalesce(pointing.count, 0) || ' references point into it.' as sentence,
       archived.rows is not null as is_broken
from ({ARCHIVED_MONTHS}) archived
left join (
    select date_trunc('month', reference.payment_date at time zone 'UTC')::date as first_on, count(*) as count
    from payment_references_history reference
    where not exists (
        select from payments payment
        where payment.id = reference.payment_id and payment.payment_date = reference.payment_date
    )
    group by 1
) pointing on pointing.first_on = archived.first_on
where archived.rows is distinct from coalesce(pointing.count, 0)
"""  # noqa: S608


def payments_match_references(at: datetime) -> Look:
    return look_by_sql(COUNT_PAYMENTS, [UNMATCHED, SHARED])


def references_are_unique(at: datetime) -> Look:
    return look_by_sql(COUNT_REFERENCES, [REPEATED_REFERENCE, REPEATED_PAYMENT])


def archives_match_references(at: datetime) -> Look:
    return look_by_sql(f"select count(*) from ({ARCHIVED_MONTHS}) archived", [ARCHIVE_COUNTS])  # noqa: S608
