-- Takes exactly the confirmed positions out of the queue and logs the batch, in one statement.
-- Never by a range of positions: an event that was committed late may lie inside it and was not published.
with confirmed as (
    select position, topic from unnest(%(positions)s::bigint[], %(topics)s::text[]) as confirmed (position, topic)
), taken as (
    delete from outbox_delivery where position = any(%(positions)s::bigint[])
    returning position
)
insert into outbox_publication (published_at, topic, events, positions)
select %(at)s, confirmed.topic, count(*), range_agg(int8range(confirmed.position, confirmed.position + 1))
from confirmed
join taken using (position)
group by confirmed.topic
