-- Rows that no seal covers although they were recorded long ago, wherever they stand.
with covered as (
    select coalesce(range_agg(positions), '{}'::int8multirange) as positions
    from audit_seal
    where source = %(source)s
),
open_ground as (
    select int8multirange(int8range(null, null)) - positions as spans from covered
)
select entry.<position>
from open_ground
cross join unnest(open_ground.spans) as gap (span)
cross join lateral (
    -- "offset 0" keeps this one range scan per gap, whatever the planner believes of the table.
    select stored.* from <table> as stored
    where stored.<position> >= coalesce(lower(gap.span), -9223372036854775808)
        and stored.<position> < coalesce(upper(gap.span), 9223372036854775807)
    offset 0
) as entry
where <recorded_at> < %(recorded_before)s
order by entry.<position>
limit %(limit)s
