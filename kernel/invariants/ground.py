"""The invariants of the kernel's own tables: the queue of events, and the chain of the audit."""

from __future__ import annotations

from datetime import datetime

from kernel.audit.verification import verify_chain
from kernel.invariants.registry import Breach, Invariant, Look, register
from kernel.invariants.statements import BREACHES_KEPT, look_by_sql

COUNT_EVENTS = "select count(*) from outbox_event"
# Positions that are in no publication are few: each stretch of them is one range scan of the events.
LOST_EVENTS = """
select event.position::text as id,
       'Event ' || event.event_id || ' (' || event.event_type || ') was never published and is not queued.' as sentence,
       true as is_broken
from (
    select int8multirange(int8range(null, null)) - coalesce(range_agg(publication.positions), '{}') as spans
    from outbox_publication publication
) never_published
cross join unnest(never_published.spans) as gap (span)
cross join lateral (
    select stored.* from outbox_event stored
    where stored.position >= coalesce(lower(gap.span), -9223372036854775808)
        and stored.position < coalesce(upper(gap.span), 9223372036854775807)
    offset 0
) event
where not exists (select from outbox_delivery delivery where delivery.position = event.position)
"""
MISCOUNTED_PUBLICATIONS = """
select publication.id::text as id,
       'Publication ' || publication.id || ' says ' || publication.events || ' events and names ' || named.events || '.'
           as sentence,
       true as is_broken
from outbox_publication publication
cross join lateral (
    select coalesce(sum(upper(span) - lower(span)), 0) as events from unnest(publication.positions) as part (span)
) named
where named.events <> publication.events
"""

COUNT_QUEUE = "select count(*) from outbox_delivery"
QUEUED_WITHOUT_EVENT = """
select delivery.position::text as id,
       case when event.position is null
           then 'Position ' || delivery.position || ' is queued and has no event.'
           else 'Event ' || event.event_id || ' is queued under another key than its own, ' || event.key || '.'
       end as sentence,
       true as is_broken
from outbox_delivery delivery
left join outbox_event event on event.position = delivery.position
where event.position is null or event.key <> delivery.key
"""
# What was replayed is queued again after it was published; what is still queued since before was not taken out.
QUEUED_ALTHOUGH_PUBLISHED = """
select delivery.position::text as id,
       'Position ' || delivery.position || ' was published and is still queued since before.' as sentence,
       true as is_broken
from outbox_delivery delivery
join outbox_publication publication on publication.positions @> delivery.position
where publication.published_at > delivery.queued_at
"""


def events_are_published_or_queued(at: datetime) -> Look:
    return look_by_sql(COUNT_EVENTS, [LOST_EVENTS, MISCOUNTED_PUBLICATIONS])


def queue_is_sound(at: datetime) -> Look:
    return look_by_sql(COUNT_QUEUE, [QUEUED_WITHOUT_EVENT, QUEUED_ALTHOUGH_PUBLISHED])


def audit_chain_is_unbroken(at: datetime) -> Look:
    found = verify_chain(at)
    breaches = tuple(Breach(f"{finding.source}:{finding.position}", str(finding)) for finding in found.findings)
    return Look(found.rows, len(breaches), breaches[:BREACHES_KEPT])


register(
    Invariant(
        "queue-is-sound",
        "Every queued delivery has its event, under the same key, and none was published already.",
        queue_is_sound,
        is_quick=True,
    )
)
register(
    Invariant(
        "events-published-or-queued",
        "Every event was published or is queued, and every publication names as many events as it counts.",
        events_are_published_or_queued,
    )
)
register(
    Invariant(
        "audit-chain-unbroken",
        "No sealed row was altered or taken away, no seal was broken, and no row was left out for five minutes.",
        audit_chain_is_unbroken,
    )
)
