-- Of each seal: whether its rows are all there and as they were sealed, how old they are, whether each may go, and how
-- many there are of each kind.
select
    seal.sequence,
    (found.entry_count, coalesce(found.content_digest, ''::bytea)) is not distinct from (seal.entry_count, seal.content_digest),
    found.may_go,
    found.first_recorded_at,
    found.last_recorded_at,
    counted.counts
from audit_seal as seal
cross join lateral (
    select
        count(*) as entry_count,
        sha256(string_agg(<digest>, ''::bytea order by entry.<position>)) as content_digest,
        coalesce(bool_and(<retirable>), false) as may_go,
        coalesce(min(<recorded_at>), 'epoch') as first_recorded_at,
        coalesce(max(<recorded_at>), 'epoch') as last_recorded_at
    from unnest(seal.positions) as part (span)
    cross join lateral (
        -- "offset 0" keeps this one range scan per part, whatever the planner believes of the table.
        select stored.* from <table> as stored
        where stored.<position> >= lower(part.span) and stored.<position> < upper(part.span)
        offset 0
    ) as entry
) as found
cross join lateral (
    select coalesce(jsonb_object_agg(kind, times), '{}') as counts
    from (
        select <counted_by> as kind, count(*) as times
        from unnest(seal.positions) as part (span)
        cross join lateral (
            select stored.* from <table> as stored
            where stored.<position> >= lower(part.span) and stored.<position> < upper(part.span)
            offset 0
        ) as entry
        group by 1
    ) as kinds
) as counted
where seal.sequence = any(%(sequences)s)
order by seal.sequence
