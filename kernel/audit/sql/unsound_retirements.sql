-- Retired seals that were never sealed as the retirement says, and positions of retired seals at which a row stands.
select 'broken' as fault, retirement.seal_sequence as position
from audit_retirement as retirement
left join audit_seal as seal on seal.sequence = retirement.seal_sequence
where retirement.source = %(source)s
    and (seal.source, seal.entry_count, seal.content_digest)
        is distinct from (retirement.source, retirement.entry_count, retirement.content_digest)
union all
select 'returned', entry.<position>
from audit_retirement as retirement
join audit_seal as seal on seal.sequence = retirement.seal_sequence
cross join unnest(seal.positions) as part (span)
cross join lateral (
    select stored.<position> from <table> as stored
    where stored.<position> >= lower(part.span) and stored.<position> < upper(part.span)
    offset 0
) as entry
where retirement.source = %(source)s
order by 1, 2
limit %(limit)s
