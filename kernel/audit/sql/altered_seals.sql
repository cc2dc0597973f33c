-- The seals of a stretch of the chain whose rows no longer give the count and the digest that were sealed. A retired seal has none.
select seal.sequence
from audit_seal as seal
cross join lateral (
    select count(*) as entry_count, sha256(string_agg(<digest>, ''::bytea order by entry.<position>)) as content_digest
    from unnest(seal.positions) as part (span)
    cross join lateral (
        -- "offset 0" keeps this one range scan per part, whatever the planner believes of the table.
        select stored.* from <table> as stored
        where stored.<position> >= lower(part.span) and stored.<position> < upper(part.span)
        offset 0
    ) as entry
) as found
where seal.source = %(source)s
    and seal.sequence > %(after)s and seal.sequence <= %(up_to)s
    and not exists (select from audit_retirement as retirement where retirement.seal_sequence = seal.sequence)
    and (found.entry_count, coalesce(found.content_digest, ''::bytea)) is distinct from (seal.entry_count, seal.content_digest)
order by seal.sequence
