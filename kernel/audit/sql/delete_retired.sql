-- Takes away the rows of these seals, which the caller has recorded as retired.
delete from <table> as entry
using (
    select lower(part.span) as low, upper(part.span) as high
    from audit_seal as seal
    cross join unnest(seal.positions) as part (span)
    where seal.sequence = any(%(sequences)s)
) as stretch
where entry.<position> >= stretch.low and entry.<position> < stretch.high
