"""Payments and the events that announce them: one of the other, with the same content."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from kernel.invariants.registry import Look
from kernel.invariants.statements import look_by_sql
from kernel.outbox.querysets import retired_count, retired_until
from payments.invariants.archives import ARCHIVED_MONTHS

COUNT_ANNOUNCEMENTS = "select count(*) from outbox_event where event_type = 'payment.recorded'"

# An event is found by its subject, the payment's id. The body is read once (offset 0), and read as JSON only if it is.
# Text is compared with text as the recorder writes it, so that no content can make the comparison itself fail.
DIFFERS = """
    event.key is distinct from payment.loan_account_number
    or body.is_json is not true
    or body.content ->> 'event_id' is distinct from event.event_id::text
    or body.content -> 'payment' ->> 'id' is distinct from payment.id::text
    or body.content -> 'payment' ->> 'reference_number' is distinct from payment.reference_number
    or body.content -> 'payment' ->> 'loan_account_number' is distinct from payment.loan_account_number
    or body.content -> 'payment' ->> 'cif' is distinct from payment.cif
    or body.content -> 'payment' -> 'amount' is distinct from to_jsonb(payment.amount)
    or body.content -> 'payment' ->> 'payment_date' is distinct from to_jsonb(payment.payment_date) #>> '{}'
    or body.content -> 'payment' ->> 'payment_channel' is distinct from coalesce(payment.payment_channel, 'unknown')
    or body.content -> 'payment' ->> 'source' is distinct from payment.source
    or body.content -> 'payment' -> 'metadata' is distinct from coalesce(payment.metadata, '{}')
    or coalesce(body.content -> 'payment' ->> 'currency', %(ledger_currency)s::text) is distinct from payment.currency
"""
UNMATCHED = f"""
select coalesce(payment.id::text, event.subject) as id,
       case
           when event.position is null then 'Payment ' || payment.id || ' has no event.'
           when payment.id is null then
               'Event ' || event.event_id || ' announces payment ' || event.subject || ', which is not there.'
           else 'Event ' || event.event_id || ' says other things than payment ' || payment.id || '.'
       end as sentence,
       true as is_broken
from payments payment
full join (select * from outbox_event where event_type = 'payment.recorded') event on event.subject = payment.id::text
cross join lateral (
    select event.body is json object as is_json,
           case when event.body is json object then event.body::jsonb end as content
    offset 0
) body
where case
    when event.position is null then payment.created_at > coalesce(%(retired_until)s::timestamptz, '-infinity')
    when payment.id is null then not exists (
        select from ({ARCHIVED_MONTHS}) archived
        where to_jsonb(lower(archived.month)) #>> '{{}}' <= body.content -> 'payment' ->> 'payment_date'
            and to_jsonb(upper(archived.month)) #>> '{{}}' > body.content -> 'payment' ->> 'payment_date'
    )
    else {DIFFERS}
end
"""  # noqa: S608 - our own text
REPEATED = """
select subject as id, count(*) || ' events announce payment ' || subject || '.' as sentence, true as is_broken
from outbox_event
where event_type = 'payment.recorded'
group by subject
having count(*) > 1
"""

# An event that was retired because of its age is gone, and its record tells the number alone: so all are counted.
RETIRED_MISCOUNTED = f"""
select 'payment.recorded' as id,
       counted.payments || ' payments are attached or archived; ' || counted.events || ' events are there or retired.'
           as sentence,
       true as is_broken
from (
    select (select count(*) from payments)
               + (select coalesce(sum(archived.rows), 0) from ({ARCHIVED_MONTHS}) archived) as payments,
           ({COUNT_ANNOUNCEMENTS}) + %(retired)s::bigint as events
) counted
where %(retired)s::bigint > 0 and counted.payments <> counted.events
"""  # noqa: S608

# What came in the last minutes, found by the index on created_at, its references and its event by their keys.
RECENT = "created_at >= %(at)s::timestamptz - interval '15 minutes'"
COUNT_RECENT = f"select count(*) from payments where {RECENT}"  # noqa: S608
RECENT_INCOMPLETE = f"""
select payment.id::text as id,
       'Payment ' || payment.id || ' has no '
           || case when event.event_id is null then 'event' else 'reference that points at it' end || '.' as sentence,
       true as is_broken
from payments payment
left join outbox_event event on event.event_id = payment.id
left join lateral (
    select payment_id from payment_references where reference_number = payment.reference_number
    union all
    select payment_id from payment_references_previous where reference_number = payment.reference_number
    union all
    select payment_id from payment_references_history where reference_number = payment.reference_number
    limit 1
) reference on true
where {RECENT} and (event.event_id is null or reference.payment_id is distinct from payment.id)
"""  # noqa: S608


def payments_match_events(at: datetime) -> Look:
    values = {
        "ledger_currency": settings.LEDGER_CURRENCY,
        "retired": retired_count("payment.recorded"),
        "retired_until": retired_until("payment.recorded"),
    }
    return look_by_sql(COUNT_ANNOUNCEMENTS, [UNMATCHED, REPEATED, RETIRED_MISCOUNTED], values)


def recent_payments_are_complete(at: datetime) -> Look:
    return look_by_sql(COUNT_RECENT, [RECENT_INCOMPLETE], {"at": at})
