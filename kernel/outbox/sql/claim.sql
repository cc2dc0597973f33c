-- The next events to publish, in the order of their positions.
-- An event waits while it backs off, and so does every later event of the same key.
-- Plan: the queue's primary key from its low end; one probe of the small partial index outbox_delivery_backing_off
-- and one of outbox_event's primary key for each row. The session forbids other joins (see queue.py): the queue
-- swings between empty and large, so that statistics about it are always wrong.
select
    event.position,
    event.event_id,
    event.event_type,
    event.source,
    event.subject,
    event.topic,
    event.key,
    event.body,
    event.occurred_at,
    due.attempts,
    due.queued_at,
    due.is_replay
from (
    select waiting.position, waiting.attempts, waiting.queued_at, waiting.is_replay
    from outbox_delivery as waiting
    where (waiting.next_attempt_at is null or waiting.next_attempt_at <= %(at)s)
        and not exists (
            select
            from outbox_delivery as earlier
            where earlier.key = waiting.key
                and earlier.position < waiting.position
                and earlier.next_attempt_at > %(at)s
        )
    order by waiting.position
    limit %(limit)s
) as due
cross join lateral (
    select * from outbox_event where outbox_event.position = due.position offset 0
) as event
order by event.position
