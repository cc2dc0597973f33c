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
join <table> as entry
    on entry.<position> >= coalesce(lower(gap.span), -9223372036854775808)
    and entry.<position> < coalesce(upper(gap.span), 9223372036854775807)
where <recorded_at> < %(recorded_before)s
order by entry.<position>
limit %(limit)s
