-- Counts the failed attempt and says when the event may be tried again.
update outbox_delivery
set attempts = outbox_delivery.attempts + 1,
    last_error = refused.error,
    next_attempt_at = refused.next_attempt_at
from unnest(%(positions)s::bigint[], %(errors)s::text[], %(next_attempts)s::timestamptz[])
    as refused (position, error, next_attempt_at)
where outbox_delivery.position = refused.position
