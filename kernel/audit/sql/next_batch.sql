-- The next rows to seal: every visible row above the floor that no seal covers, in order of position.
--
-- A row that commits late has a lower position than rows that are sealed already. So the ground above the floor, less
-- what seals cover, is searched gap by gap; every gap is a range scan of the primary key. The floor is as high as the
-- seals were before gaps_open_since: a gap below it stayed empty that long and is taken for a rolled-back insert.
-- verify_audit looks below the floor too.
with settled as (
    select sequence, high_water
    from audit_seal
    where source = %(source)s and sealed_at < %(gaps_open_since)s
    order by sequence desc
    limit 1
),
covered as (
    select coalesce(range_agg(positions), '{}'::int8multirange) as positions
    from audit_seal
    where source = %(source)s and sequence > coalesce((select sequence from settled), 0)
),
open_ground as (
    select int8multirange(int8range(coalesce((select high_water from settled), -1) + 1, null)) - positions as spans
    from covered
),
batch as materialized (
    select entry.*
    from open_ground
    cross join unnest(open_ground.spans) as gap (span)
    cross join lateral (
        -- The limit in here keeps the search to one range scan per gap, whatever the planner believes of the table.
        select found.*
        from <table> as found
        where found.<position> >= lower(gap.span) and found.<position> < coalesce(upper(gap.span), 9223372036854775807)
        order by found.<position>
        limit %(limit)s
    ) as entry
    order by entry.<position>
    limit %(limit)s
),
digested as (
    select entry.<position> as position, <digest> as digest from batch as entry
)
select
    range_agg(int8range(position, position + 1))::text as positions,
    count(*) as entry_count,
    max(position) as highest,
    sha256(string_agg(digest, ''::bytea order by position)) as content_digest,
    string_agg(substring(digest for 8), ''::bytea order by position) as fingerprints
from digested
