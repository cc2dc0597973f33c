-- The seals of a stretch of the chain whose rows no longer give the count and the digest that were sealed.
select seal.sequence
from audit_seal as seal
cross join lateral (
    select count(*) as entry_count, sha256(string_agg(<digest>, ''::bytea order by entry.<position>)) as content_digest
    from unnest(seal.positions) as part (span)
    join <table> as entry on entry.<position> >= lower(part.span) and entry.<position> < upper(part.span)
) as found
where seal.source = %(source)s
    and seal.sequence > %(after)s and seal.sequence <= %(up_to)s
    and (found.entry_count, coalesce(found.content_digest, ''::bytea)) is distinct from (seal.entry_count, seal.content_digest)
order by seal.sequence
