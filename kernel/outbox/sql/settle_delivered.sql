-- Takes exactly the confirmed positions of one topic out of the queue and logs them as one batch, in one statement.
-- Never by a range of positions: an event that was committed late may lie inside it and was not published.
with taken as (
    delete from outbox_delivery where position = any(%(positions)s::bigint[])
    returning position
)
insert into outbox_publication (published_at, topic, events, positions)
select %(at)s, %(topic)s, count(*), range_agg(int8range(taken.position, taken.position + 1))
from taken
having count(*) > 0
