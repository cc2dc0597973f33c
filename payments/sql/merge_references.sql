-- The next references of the earlier generation, in their order, into the history, each with the digest of its payment's
-- content. In order, so that the history's index is walked once from one end to the other.
with chunk as materialized (
    select reference_number, payment_id, payment_date, created_at
    from payment_references_previous
    where reference_number > %(after)s::text
    order by reference_number
    limit %(chunk)s
),
content as materialized (
    select chunk.reference_number, payment.id as payment_id, payment.payment_date, chunk.created_at,
        loan_account_number, cif, amount, currency
    from chunk
    join payments payment on payment.id = chunk.payment_id and payment.payment_date = chunk.payment_date
),
merged as (
    insert into payment_references_history (reference_number, payment_id, payment_date, created_at, content_digest)
    select reference_number, payment_id, payment_date, created_at,
{content_digest}
    from content
    order by reference_number
    on conflict (reference_number) do nothing
)
select max(reference_number), count(*) from chunk
