-- Which positions of one seal are missing, and which hold a row with another fingerprint than the sealed one.
with sealed as (
    select position, row_number() over (order by position) as place
    from audit_seal as seal
    cross join unnest(seal.positions) as part (span)
    cross join generate_series(lower(part.span), upper(part.span) - 1) as position
    where seal.sequence = %(sequence)s
)
select sealed.position, case when entry.<position> is null then 'missing' else 'altered' end as fault
from sealed
join audit_seal as seal on seal.sequence = %(sequence)s
left join <table> as entry on entry.<position> = sealed.position
where entry.<position> is null
    or substring(<digest> for 8) <> substring(seal.fingerprints from (sealed.place::integer - 1) * 8 + 1 for 8)
order by sealed.position
limit %(limit)s
